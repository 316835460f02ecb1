import { randomBytes } from 'node:crypto';
import { createClient } from '../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson, type NewPerson } from '../../tests/harness/front-door.ts';

/** Where Tessera's roles are; each without a trailing slash. */
export type BaseUrls = { origin: string; api: string; oidc: string; passport: string; connect: string };

/** What the world outside of Tessera is going to be. */
export type Surroundings = {
  redirectUri: string;
  upstream: string;
  identityProvider: { issuer: string; clientId: string; clientSecret: string };
};

export type World = {
  admin: NewPerson;
  user: NewPerson & { sub: string };
  apiToken: string;
  team: { id: string; slug: string };
  project: { id: string; name: string };
  app: { clientId: string; clientSecret: string; redirectUri: string };
  connectorId: string;
  deployment: { id: string; url: string; environment: string };
};

/** All base URLs as they follow from one public URL. */
export function baseUrlsOf(publicUrl: string): BaseUrls {
  return {
    origin: publicUrl,
    api: `${publicUrl}/api`,
    oidc: `${publicUrl}/oidc`,
    passport: `${publicUrl}/passport`,
    connect: `${publicUrl}/connect`,
  };
}

/** A password that passes the policy and that nobody else has. */
export function createPassword(): string {
  return `demo-${randomBytes(9).toString('base64url')}`;
}

/**
 * Sets a small living world up through the front door alone, as a person and their script would: the set-up link,
 * the account page, the REST API.
 */
export async function setUpWorld(
  urls: BaseUrls,
  setUpLink: string,
  surroundings: Surroundings,
): Promise<World> {
  const admin = await setUpPerson(setUpLink, {
    email: 'admin@acme.example',
    password: createPassword(),
    name: 'Ada Lovelace',
  });
  const environment = 'production';
  const firstToken = await createApiToken(urls.origin, admin, { name: 'set-up' });
  const setUp = createClient({ baseUrl: urls.api, token: firstToken });

  const team = await setUp('teams.create', { body: { slug: 'acme', name: 'Acme' } });
  const query = { teamId: team.id };
  const project = await setUp('projects.create', { query, body: { name: 'site' } });
  // A token mints for an environment only when an owner says so while making it.
  const apiToken = await createApiToken(urls.origin, admin, {
    name: 'demo',
    teamSlug: team.slug,
    builds: [{ projectId: project.id, environment }],
  });
  const call = createClient({ baseUrl: urls.api, token: apiToken });

  const user = await inviteMember(call, team.id);

  const app = await call('apps.create', {
    query,
    body: {
      name: 'Sign-in app',
      redirectUris: [surroundings.redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['client_secret_basic', 'client_secret_post'],
      signInAccess: 'anyone',
    },
  });
  const { clientSecret } = await call('app-secrets.create', { params: { id: app.id }, query });

  const connector = await call('connectors.create', {
    query,
    body: { name: 'Example Corp', ...surroundings.identityProvider, forwardedClaims: ['groups'] },
  });
  await call('projects.update', {
    params: { idOrName: project.id },
    query,
    body: {
      passport: { connectorId: connector.id, deploymentType: 'all' },
      oidcTokenConfig: { enabled: true, issuerMode: 'team' },
    },
  });
  const deployment = await call('deployments.create', {
    query,
    body: { projectId: project.id, environment, upstream: surroundings.upstream },
  });

  const { visitor: _browser, ...adminAccount } = admin;
  return {
    admin: adminAccount,
    user,
    apiToken,
    team: { id: team.id, slug: team.slug },
    project: { id: project.id, name: project.name },
    app: { clientId: app.id, clientSecret, redirectUri: surroundings.redirectUri },
    connectorId: connector.id,
    deployment: { id: deployment.id, url: deployment.url, environment },
  };
}

async function inviteMember(
  call: ReturnType<typeof createClient>,
  teamId: string,
): Promise<NewPerson & { sub: string }> {
  const person = { email: 'user@acme.example', password: createPassword(), name: 'Alan Turing' };
  const { invitation } = await call('members.add', {
    params: { id: teamId },
    body: { email: person.email, role: 'member' },
  });
  if (!invitation) throw new Error(`${person.email} has an account already: this is not a new database`);
  await setUpPerson(invitation.url, person);
  const { members } = await call('members.list', { params: { id: teamId } });
  const member = members.find(({ email }) => email === person.email);
  if (!member) throw new Error(`${person.email} did not become a member`);
  // The subject that apps see is the account's own id.
  return { ...person, sub: member.userId };
}
