import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDynamicClients, type DynamicClients } from '../conformance/dynamic-clients.ts';
import { createKey, type ClientKey } from '../conformance/fapi2.ts';
import {
  basic,
  codeOf,
  createClient,
  startSuite,
  type Suite,
  type SuiteClient,
  type Tokens,
} from '../conformance/suite.ts';
import { createApiToken } from '../harness/front-door.ts';
import { startLogoutReceiver, type LogoutReceiver } from '../harness/logout-receiver.ts';
import { send, sendForm } from '../harness/send.ts';
import { createVisitor } from '../harness/visitor.ts';

const resource = 'https://orders.example';

/** Every door that takes a token: whether it takes this one. */
type Doors = Record<string, (token: string) => Promise<boolean>>;
/** A token of each kind, and the doors that it is made for. */
type Kinds = Record<string, { token: () => Promise<string>; doors: readonly string[] }>;

const kindNames = [
  'access token',
  'access token for a resource',
  'ID token',
  'refresh token',
  'authorization code',
  'API token',
  'builder token',
  'workload token',
  'logout token',
  'signed userinfo',
  'client assertion',
  'DPoP proof',
  'registration token',
  'client secret',
] as const;

describe('a token of one kind', () => {
  let suite: Suite;
  let clients: DynamicClients;
  let receiver: LogoutReceiver;
  let doors: Doors;
  let kinds: Kinds;

  beforeAll(async () => {
    suite = await startSuite('sqlite', { variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' } });
    clients = createDynamicClients(suite);
    receiver = await startLogoutReceiver();
    doors = await createDoors(suite, clients);
    kinds = await createKinds(suite, clients, receiver);
  }, 120_000);
  afterAll(async () => {
    await receiver?.close();
    await suite?.close();
  });

  test.each(kindNames)('opens its own doors and no other: %s (security-101b)', async (name) => {
    expect(Object.keys(kinds).toSorted()).toEqual(kindNames.toSorted());
    const { token, doors: own } = kinds[name]!;
    const opened: string[] = [];
    for (const [door, isOpenedBy] of Object.entries(doors)) {
      // Made anew: some doors take a token once.
      if (await isOpenedBy(await token())) opened.push(door);
    }
    expect(opened).toEqual(own);
  });
});

async function createDoors(suite: Suite, clients: DynamicClients): Promise<Doors> {
  const { metadata, tessera, first } = suite;
  const { api } = tessera.urls;
  const managed = await clients.register();
  const ask = (fields: Record<string, string>, headers: Record<string, string> = basic(first)) =>
    sendForm(metadata.token_endpoint, fields, headers);
  return {
    userinfo: async (token) => (await suite.userinfo(token)).status === 200,
    introspection: async (token) => {
      const answer = await sendForm(`${api}/login/oauth/token/introspect`, { token }, basic(first));
      return (answer.json() as { active: boolean }).active;
    },
    'REST API': async (token) =>
      (await send(`${api}/v2/user`, { headers: { authorization: `Bearer ${token}` } })).status === 200,
    'refresh grant': async (token) =>
      (await ask({ grant_type: 'refresh_token', refresh_token: token })).status === 200,
    'code grant': async (token) =>
      (await ask({ grant_type: 'authorization_code', code: token, redirect_uri: first.redirectUri }))
        .status === 200,
    'id_token_hint of an authorization': async (token) => {
      const { parameters } = await suite.authorize({ prompt: 'none', id_token_hint: token });
      return parameters?.['code'] !== undefined;
    },
    'id_token_hint of a log-out': async (token) => {
      const answer = await createVisitor().open(
        `${metadata.issuer}/oauth/logout?${new URLSearchParams({ id_token_hint: token }).toString()}`,
      );
      return answer.status < 400;
    },
    'client assertion': async (token) => {
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      const fields = { client_assertion_type: type, client_assertion: token };
      // It fails at the code, not at the client.
      const answer = await ask({ grant_type: 'authorization_code', code: 'none', ...fields }, {});
      return (answer.json() as { error: string }).error === 'invalid_grant';
    },
    'client secret': async (token) =>
      (await ask({ grant_type: 'client_credentials' }, basic({ ...first, clientSecret: token }))).status ===
      200,
    'DPoP proof': async (token) =>
      (await ask({ grant_type: 'client_credentials' }, { ...basic(first), dpop: token })).status === 200,
    'registration management': async (token) => {
      const url = String(managed.registered['registration_client_uri']);
      return (await send(url, { headers: { authorization: `Bearer ${token}` } })).status === 200;
    },
  };
}

async function createKinds(suite: Suite, clients: DynamicClients, receiver: LogoutReceiver): Promise<Kinds> {
  const { world, metadata, first, tessera } = suite;
  const signIn = async (more: Record<string, string> = {}, client: SuiteClient = first): Promise<Tokens> =>
    (await suite.signIn({ scope: 'openid offline_access', ...more }, suite.loggedIn, client)).tokens;
  const { call, team, admin, apiToken } = world;
  const project = await call('projects.create', { query: { teamId: team.id }, body: { name: 'shop' } });
  const builds = [{ projectId: project.id, environment: 'production' }];
  const builder = await createApiToken(metadata.issuer, admin, {
    name: 'builder',
    teamSlug: team.slug,
    builds,
    buildsOnly: true,
  });
  const query = { teamId: team.id };
  const serving = await createClient(world, {
    name: 'Serving',
    resources: [resource],
    accessTokenFormat: 'jwt',
  });
  const signing = await createClient(world, { name: 'Signing', userinfoSignedResponseAlg: 'RS256' });
  const leaving = await createClient(world, { name: 'Leaving', backchannelLogoutUri: receiver.url });
  const proofKey = await createKey();
  const asserting = await clients.register();
  const logoutToken = await receiveLogoutToken();
  return {
    'access token': {
      token: async () => (await signIn()).access_token,
      doors: ['userinfo', 'introspection'],
    },
    'access token for a resource': {
      token: async () => (await signIn({ resource }, serving)).access_token,
      doors: [],
    },
    'ID token': {
      token: async () => (await signIn()).id_token,
      doors: ['id_token_hint of an authorization', 'id_token_hint of a log-out'],
    },
    'refresh token': {
      token: async () => (await signIn()).refresh_token ?? '',
      doors: ['introspection', 'refresh grant'],
    },
    'authorization code': {
      token: async () => codeOf(suite, await suite.authorize()),
      doors: ['code grant'],
    },
    'API token': { token: async () => apiToken, doors: ['REST API'] },
    'builder token': { token: async () => builder, doors: [] },
    'workload token': {
      token: async () => {
        const answer = await send(`${tessera.urls.api}/v1/projects/shop/token?teamId=${team.id}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${builder}`, 'content-type': 'application/json' },
          body: JSON.stringify({ environment: 'production' }),
        });
        return (answer.json() as { token: string }).token;
      },
      // Apps of its team may ask whether it is in force (federation.md); it lets nobody in.
      doors: ['introspection'],
    },
    'logout token': {
      token: async () => logoutToken,
      doors: [],
    },
    'signed userinfo': {
      token: async () => (await suite.userinfo((await signIn({}, signing)).access_token)).text,
      doors: [],
    },
    'client assertion': {
      token: async () => clients.createAssertion(asserting),
      doors: ['client assertion'],
    },
    'DPoP proof': {
      token: async () => createProof(proofKey, metadata.token_endpoint),
      doors: ['DPoP proof'],
    },
    'registration token': {
      token: async () => String(asserting.registered['registration_access_token']),
      doors: [],
    },
    'client secret': {
      token: async () => {
        // Two at a time: the one before makes room.
        const app = await call('apps.get', { params: { id: first.clientId }, query });
        const older = app.secrets.filter(({ last4 }) => !first.clientSecret.endsWith(last4));
        for (const { id } of older) {
          await call('app-secrets.delete', {
            params: { id: first.clientId },
            query: { ...query, secretId: id },
          });
        }
        const made = await call('app-secrets.create', { params: { id: first.clientId }, query });
        return made.clientSecret;
      },
      doors: ['client secret'],
    },
  };

  async function receiveLogoutToken(): Promise<string> {
    const visitor = createVisitor();
    const { tokens } = await suite.signIn({}, visitor, leaving);
    await visitor.open(`${metadata.issuer}/oauth/logout?id_token_hint=${tokens.id_token}`);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), 20_000);
    return receiver.received[0]?.fields.get('logout_token') ?? '';
  }
}

function createProof(key: ClientKey, url: string): Promise<string> {
  return new SignJWT({ jti: randomUUID(), htm: 'POST', htu: url })
    .setIssuedAt()
    .setProtectedHeader({ typ: 'dpop+jwt', alg: key.algorithm, jwk: key.publicJwk })
    .sign(key.privateKey);
}
