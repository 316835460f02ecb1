import {
  startIdentityProvider,
  type IdentityProviderSettings,
} from '../../examples/identity-provider/provider.ts';
import type { Running } from '../../examples/listen.ts';
import { createClient, type Client } from '../../packages/contract/src/index.ts';
import { startEchoUpstream } from './echo-upstream.ts';
import { createApiToken, setUpPerson, type Person } from './front-door.ts';
import type { Answer } from './send.ts';
import type { BaseUrls } from './tessera-environment.ts';
import type { Visitor } from './visitor.ts';

export type ConnectorOf = { issuer: string; clientId: string; clientSecret: string };

export type ProtectedDeployment = {
  id: string;
  /** Without a trailing slash. */
  url: string;
  projectId: string;
  projectName: string;
};

export type PassportWorld = {
  admin: Person;
  apiToken: string;
  /** Of the administrator, who owns all teams here. */
  call: Client;
  team: { id: string; slug: string };
  connectorId: string;
  deployment: ProtectedDeployment;
  upstream: Running;
  /** Another project of a team behind a connector, with a deployment of its own. */
  protect(
    projectName: string,
    more?: { teamId?: string; connectorId?: string; environment?: string },
  ): Promise<ProtectedDeployment>;
  createConnector(teamId: string, connector: ConnectorOf): Promise<string>;
  close(): Promise<void>;
};

export const person = {
  username: 'grace',
  password: 'nobody else has it',
  sub: 'staff|grace',
  email: 'grace@corp.example',
  name: 'Grace Hopper',
  groups: ['staff'],
};

/**
 * A team with a project whose deployments are protected, and a visitors' identity provider: a real one, or the given.
 * The upstream answers with what it received.
 */
export async function createPassportWorld(
  urls: BaseUrls,
  setUpLink: string | undefined,
  given?: ConnectorOf,
  more: Partial<IdentityProviderSettings> = {},
): Promise<PassportWorld> {
  if (setUpLink === undefined) throw new Error('this instance has been set up already');
  const admin = await setUpPerson(setUpLink, {
    email: 'ada@acme.example',
    password: 'a long enough passphrase, 7 words',
    name: 'Ada Lovelace',
  });
  const apiToken = await createApiToken(urls.origin, admin, { name: 'set-up' });
  const call = createClient({ baseUrl: urls.api, token: apiToken });
  const upstream = await startEchoUpstream();
  const provider = given === undefined ? await startProvider(urls, more) : undefined;
  const identityProvider = given ?? (provider as NonNullable<typeof provider>).connector;

  const team = await call('teams.create', { body: { slug: 'acme', name: 'Acme' } });
  const createConnector = async (teamId: string, connector: ConnectorOf): Promise<string> => {
    const { id } = await call('connectors.create', {
      query: { teamId },
      body: { name: `Corp ${teamId.slice(-4)}`, ...connector, forwardedClaims: ['groups'] },
    });
    return id;
  };
  const connectorId = await createConnector(team.id, identityProvider);

  const protect: PassportWorld['protect'] = async (projectName, more = {}) => {
    const query = { teamId: more.teamId ?? team.id };
    const project = await call('projects.create', { query, body: { name: projectName } });
    await call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: { passport: { connectorId: more.connectorId ?? connectorId, deploymentType: 'all' } },
    });
    const deployment = await call('deployments.create', {
      query,
      body: {
        projectId: project.id,
        environment: more.environment ?? 'production',
        upstream: upstream.url.replace('localhost', '127.0.0.1'),
      },
    });
    return {
      id: deployment.id,
      url: deployment.url.replace(/\/$/, ''),
      projectId: project.id,
      projectName,
    };
  };

  return {
    admin,
    apiToken,
    call,
    team: { id: team.id, slug: team.slug },
    connectorId,
    deployment: await protect('site'),
    upstream,
    protect,
    createConnector,
    async close() {
      await upstream.close();
      await provider?.running.close();
    },
  };
}

async function startProvider(
  urls: BaseUrls,
  more: Partial<IdentityProviderSettings>,
): Promise<{ running: Running; connector: ConnectorOf }> {
  const client = { clientId: 'tessera', clientSecret: 'a secret between the provider and Tessera' };
  const running = await startIdentityProvider({
    port: 0,
    ...client,
    redirectUri: `${urls.connect}/callback`,
    person,
    ...more,
  });
  return { running, connector: { issuer: running.url, ...client } };
}

/** Takes a visitor through the login page of the real identity provider to the page that they asked for. */
export async function passPassport(visitor: Visitor, url: string): Promise<Answer> {
  const page = await visitor.visit(url);
  if (!page.text.includes('id="sign-in"')) return page;
  const { username, password } = person;
  return visitor.follow(await visitor.submit(page, 'sign-in', { username, password }, 'sign-in-submit'));
}
