import type { ClientMetadata, Configuration } from 'oidc-provider';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import type { Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';
import { startRealProvider, type RealProvider } from './real-provider.ts';

type Kind = {
  name: string;
  client: Partial<ClientMetadata>;
  idTokenAlgorithm?: 'RS256' | 'ES256' | 'PS256';
  configuration?: Configuration;
  connector: Record<string, unknown>;
  expected: Record<string, unknown>;
};

const secret = 'a secret between the provider and Tessera';

const kinds: readonly Kind[] = [
  {
    name: 'takes the secret in the form, and says e-mail and groups in userinfo alone',
    client: { client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
    configuration: { clientAuthMethods: ['client_secret_post'] },
    connector: { clientSecret: secret },
    expected: { tokenEndpointAuthMethod: 'client_secret_post' },
  },
  {
    name: 'says everything in the ID token and has no userinfo',
    client: { client_secret: secret },
    configuration: { conformIdTokenClaims: false, features: { userinfo: { enabled: false } } },
    connector: { clientSecret: secret },
    expected: { userinfoEndpoint: null },
  },
  {
    name: 'signs with ES256 and takes no code without PKCE',
    client: { client_secret: secret },
    idTokenAlgorithm: 'ES256',
    configuration: {
      pkce: { required: () => true },
      enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    },
    connector: { clientSecret: secret },
    expected: {},
  },
  {
    name: 'signs with PS256 and knows a public client',
    client: { token_endpoint_auth_method: 'none' },
    idTokenAlgorithm: 'PS256',
    configuration: { enabledJWA: { idTokenSigningAlgValues: ['PS256'] } },
    connector: { tokenEndpointAuthMethod: 'none' },
    expected: { hasClientSecret: false },
  },
  {
    name: 'is asked as an OAuth 2.0 provider, whose ID token nobody reads',
    client: { client_secret: secret },
    connector: { type: 'oauth2', clientSecret: secret, scopes: ['openid', 'profile', 'email'] },
    expected: { type: 'oauth2', jwksUri: null },
  },
];

describe.each(databaseKinds)('visitors of real providers, on %s', (databaseKind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let provider: RealProvider | undefined;
  let made = 0;

  beforeAll(async () => {
    tessera = await startTessera(databaseKind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterEach(async () => {
    await provider?.close();
    provider = undefined;
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const query = () => ({ teamId: world.team.id });
  const redirectUri = () => `${tessera.urls.connect}/callback`;
  const connect = (issuer: string, input: Record<string, unknown>) =>
    world.call('connectors.create', {
      query: query(),
      body: { name: 'Corp', issuer, clientId: 'tessera', forwardedClaims: ['groups'], ...input },
    });
  const protect = async (connectorId: string) => {
    made += 1;
    return world.protect(`site-${made}`, { connectorId });
  };
  const visit = async (url: string) => createVisitor().visit(`${url}/page`);
  const visitorOf = (answer: Answer): Record<string, unknown> => {
    expect(answer.status, answer.text.slice(0, 1_000)).toBe(200);
    const { headers } = answer.json() as { headers: Record<string, string> };
    const token = headers['x-vercel-oidc-passport-token'] ?? '';
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
  };
  const expectGrace = (answer: Answer) =>
    expect(visitorOf(answer)).toMatchObject({
      external_sub: 'staff|grace',
      email: 'grace@corp.example',
      email_verified: true,
      name: 'Grace Hopper',
      groups: ['staff'],
    });

  test.each(kinds)('arrive at one that $name', async (kind) => {
    provider = await startRealProvider({ redirectUri: redirectUri(), ...kind });
    const connector = await connect(provider.issuer, kind.connector);
    expect(connector).toMatchObject(kind.expected);
    const site = await protect(connector.id);
    expectGrace(await visit(site.url));
    const report = await world.call('connectors.test', { params: { id: connector.id }, query: query() });
    expect(report.ok, JSON.stringify(report.steps)).toBe(true);
  });

  test.each([['RS256'], ['PS256'], ['ES256']] as const)(
    'arrive at one that knows us by our key set, with %s, also while the key is changed',
    async (algorithm) => {
      const configuration: Configuration = {
        clientAuthMethods: ['private_key_jwt'],
        enabledJWA: { clientAuthSigningAlgValues: [algorithm] },
      };
      const byKey = { token_endpoint_auth_method: 'private_key_jwt' } as const;
      provider = await startRealProvider({
        redirectUri: redirectUri(),
        client: { ...byKey, jwks: { keys: [] } },
        configuration,
      });
      const connector = await connect(provider.issuer, { tokenEndpointAuthMethod: 'private_key_jwt' });
      const params = { id: connector.id };
      const { keys } = await world.call('connector-keys.list', { params, query: query() });
      expect(keys.map((key) => `${key.algorithm} ${key.state}`)).toEqual([`${algorithm} active`]);
      const site = await protect(connector.id);
      const probe = async () =>
        (await world.call('connectors.test', { params, query: query() })).steps.find(
          ({ step }) => step === 'credentials',
        )?.outcome;
      expect(await probe()).toBe('failed');

      // Its administrators enter the address that the connector shows.
      provider.register({ ...byKey, jwks_uri: connector.clientJwksUri });
      expect(await probe()).toBe('ok');
      expectGrace(await visit(site.url));

      const next = await world.call('connector-keys.create', { params, query: query() });
      expectGrace(await visit(site.url));
      // A minute later the provider's copy of the key set is over; it knows none of ours any more.
      provider.register({ ...byKey, jwks_uri: connector.clientJwksUri });
      await world.call('connector-keys.activate', { params: { ...params, kid: next.kid }, query: query() });
      expectGrace(await visit(site.url));
      const old = keys[0]?.kid ?? '';
      await world.call('connector-keys.delete', { params: { ...params, kid: old }, query: query() });
      expectGrace(await visit(site.url));
      const used = await world.call('connectors.get', { params, query: query() });
      expect(used.credentialsUsedAt).toBeGreaterThan(0);
    },
  );

  test('stay signed in while the secret is changed, and new ones arrive with the next', async () => {
    const client = { client_secret: secret };
    provider = await startRealProvider({ redirectUri: redirectUri(), client });
    const connector = await connect(provider.issuer, { clientSecret: secret });
    const site = await protect(connector.id);
    const early = createVisitor();
    expectGrace(await early.visit(`${site.url}/page`));
    provider.register({ client_secret: 'the next secret, as long as it must be' });
    expect((await visit(site.url)).text).toContain('client secret');
    const rotated = await world.call('connectors.update', {
      params: { id: connector.id },
      query: query(),
      body: { clientSecret: 'the next secret, as long as it must be' },
    });
    expect(rotated.id).toBe(connector.id);
    expect(rotated.clientSecretSetAt).toBeGreaterThan(connector.clientSecretSetAt ?? 0);
    expect(JSON.stringify(rotated)).not.toContain('the next secret');
    expectGrace(await visit(site.url));
    expect((await early.open(`${site.url}/page`)).status).toBe(200);
  });
});
