import { startIdentityProvider } from '../../../examples/identity-provider/provider.ts';
import { createClient, type Client } from '../../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson, type Person } from '../../harness/front-door.ts';
import { startTessera, type RunningTessera } from '../../harness/start-tessera.ts';
import { startMappedHosts, type MappedHosts } from './mapped-hosts.ts';

/** The hosts that the published packages have built in. */
export const urls = {
  origin: 'https://vercel.com',
  api: 'https://api.vercel.com',
  oidc: 'https://oidc.vercel.com',
  passport: 'https://passport.vercel.com',
  connect: 'https://connect.vercel.com',
} as const;
export const deploymentDomain = 'deployments.example';

export type VercelWorld = {
  tessera: RunningTessera;
  hosts: MappedHosts;
  admin: Person;
  call: Client;
  team: { id: string; slug: string };
  project: { id: string; name: string };
  /** May mint for production of the project. */
  builderToken: string;
  /** `https://site.deployments.example`. */
  deploymentUrl: string;
  close(): Promise<void>;
};

export const visitorOfAcme = {
  username: 'grace',
  password: 'nobody else has it',
  sub: 'staff|grace',
  email: 'grace@corp.example',
  name: 'Grace Hopper',
  groups: ['staff'],
};

/**
 * An instance at those hosts, with a team, a project behind Passport and a deployment of it with this upstream. `more`
 * are names below the deployment domain that can be connected to.
 */
export async function createVercelWorld(
  upstream: string,
  more: readonly string[] = [],
): Promise<VercelWorld> {
  const tessera = await startTessera('sqlite', {
    variables: {
      TESSERA_ORIGIN_URL: urls.origin,
      TESSERA_API_URL: urls.api,
      TESSERA_OIDC_URL: urls.oidc,
      TESSERA_PASSPORT_URL: urls.passport,
      TESSERA_CONNECT_URL: urls.connect,
      TESSERA_DEPLOYMENT_DOMAIN: deploymentDomain,
      TESSERA_UPSTREAM_ALLOW: '127.0.0.0/8',
      TESSERA_TRUST_PROXY: '127.0.0.0/8',
    },
  });
  const deploymentHost = `site.${deploymentDomain}`;
  const roleHosts = Object.values(urls).map((url) => new URL(url).hostname);
  const hosts = await startMappedHosts(
    [...roleHosts, deploymentHost, ...more.map((name) => `${name}.${deploymentDomain}`)],
    tessera.environment.port,
  );
  const client = { clientId: 'tessera', clientSecret: 'a secret between the provider and Tessera' };
  const provider = await startIdentityProvider({
    port: 0,
    ...client,
    redirectUri: `${urls.connect}/callback`,
    person: visitorOfAcme,
  });
  const close = async (): Promise<void> => {
    await provider.close();
    await hosts.close();
    await tessera.close();
  };
  try {
    const admin = await setUpPerson(tessera.setUpLink ?? '', {
      email: 'ada@acme.example',
      password: 'a long enough passphrase, 7 words',
      name: 'Ada Lovelace',
    });
    const call = createClient({
      baseUrl: urls.api,
      token: await createApiToken(urls.origin, admin, { name: 'set-up' }),
    });
    const { id, slug } = await call('teams.create', { body: { slug: 'acme', name: 'Acme' } });
    const query = { teamId: id };
    const connector = await call('connectors.create', {
      query,
      body: { name: 'Corp', issuer: provider.url, ...client, forwardedClaims: ['groups'] },
    });
    const project = await call('projects.create', { query, body: { name: 'site' } });
    await call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: {
        passport: { connectorId: connector.id, deploymentType: 'all' },
        oidcTokenConfig: { enabled: true, issuerMode: 'team', audiences: ['sts.amazonaws.com'] },
      },
    });
    await call('deployments.create', {
      query,
      body: {
        projectId: project.id,
        environment: 'production',
        hosts: [{ host: deploymentHost, kind: 'alias' }],
        upstream: upstream.replace('localhost', '127.0.0.1'),
      },
    });
    const builderToken = await createApiToken(urls.origin, admin, {
      name: 'builder',
      teamSlug: slug,
      builds: [{ projectId: project.id, environment: 'production' }],
    });
    return {
      tessera,
      hosts,
      admin,
      call,
      team: { id, slug },
      project: { id: project.id, name: project.name },
      builderToken,
      deploymentUrl: `https://${deploymentHost}`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
