import { createConnectorBody } from '@tessera/contract';
import { exportSPKI, generateKeyPair, importJWK, jwtVerify, type CryptoKey } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import {
  connectorKeyMigrations,
  connectorMigrations,
  createConnectors,
  ProviderFailure,
  type Connector,
} from '#connectors';
import { migrate, openDatabase, type Database } from '#database';
import { createGuardedFetch, type GuardedFetch } from '#fetch';
import { createRemoteKeys } from '#remote-keys';
import { createSealing } from '#sealing';
import {
  addressOf,
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/harness/test-databases.ts';
import {
  signWith,
  startForgingProvider,
  type ForgingProvider,
} from '../../../../tests/passport/forging-provider.ts';
import { testConnection } from './connection-test.ts';
import { discover } from './discovery.ts';
import { createConnectorCheck, createProviders, type SignInSecrets } from './index.ts';

const connectUrl = 'https://id.example/connect';
const redirectUri = `${connectUrl}/callback`;
const secrets: SignInSecrets = { state: 'the-state', nonce: 'the-nonce', codeVerifier: 'v'.repeat(43) };
const change = { actor: 'usr_a', reference: 'req_a' };

let provider: ForgingProvider;
let fetch: GuardedFetch;
let database: Database;
let place: TestDatabase;

beforeAll(async () => {
  fetch = createGuardedFetch({ allowPrivateHosts: ['localhost'] });
  place = await createTestDatabase('sqlite');
  database = openDatabase(addressOf(place), createShiftedClock());
  await migrate(database, [...connectorMigrations, ...connectorKeyMigrations, ...auditMigrations]);
});
beforeEach(async () => {
  await provider?.close();
  provider = await startForgingProvider();
});
afterAll(async () => {
  await provider.close();
  await fetch.close();
  await database.close();
  await place.remove();
});

async function open(more: Record<string, unknown> = {}) {
  const clock = createShiftedClock();
  const remoteKeys = createRemoteKeys({ fetch, clock });
  const connectors = createConnectors({
    database,
    clock,
    audit: createAudit({ database, clock }),
    sealing: createSealing(new Uint8Array(32).fill(1)),
    check: createConnectorCheck({ fetch, remoteKeys }),
    uses: [],
  });
  const needs = { fetch, remoteKeys, connectors, clock, connectUrl };
  const providers = createProviders(needs);
  const connector = await connectors.create(
    'team_a',
    createConnectorBody.parse({
      name: 'Corp',
      issuer: provider.issuer,
      clientId: 'client-1',
      clientSecret: 'hush & hush',
      forwardedClaims: ['groups'],
      ...more,
    }),
    change,
  );
  return { clock, connectors, connector, needs, providers };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function signIn({ providers, connector }: Opened, answer: Record<string, string> = {}) {
  const passed: string[] = [];
  provider.remember(await providers.start(connector, secrets, redirectUri));
  const parameters = new URLSearchParams({
    code: 'a-code',
    state: secrets.state,
    iss: provider.issuer,
    ...answer,
  });
  const { principal } = await providers.finish(connector, {
    parameters,
    secrets,
    redirectUri,
    passed: (step) => void passed.push(step),
  });
  return { principal, passed };
}

async function failureOf(answer: Promise<unknown>): Promise<ProviderFailure> {
  const error: unknown = await answer.then(
    () => new Error('nothing failed'),
    (reason: unknown) => reason,
  );
  if (error instanceof ProviderFailure) return error;
  throw error;
}
const stepOf = async (answer: Promise<unknown>) => (await failureOf(answer)).step;

describe('signing in at a provider', () => {
  it('asks for a code with state, nonce and PKCE', async () => {
    const { providers, connector } = await open();
    const url = new URL(await providers.start(connector, secrets, redirectUri));
    expect(`${url.origin}${url.pathname}`).toBe(`${provider.issuer}/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'client-1',
      redirect_uri: redirectUri,
      scope: 'openid profile email',
      state: 'the-state',
      nonce: 'the-nonce',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: 'S256',
    });
  });

  it('ends at who the person is, with allow-listed claims and nothing else', async () => {
    const { principal, passed } = await signIn(await open());
    expect(principal).toEqual({
      externalSub: 'visitor|1',
      externalIss: provider.issuer,
      email: 'visitor@corp.example',
      emailVerified: true,
      name: 'A Visitor',
      claims: { groups: ['staff'] },
    });
    expect(passed).toEqual([
      'response_issuer',
      'authorization',
      'code_exchange',
      'id_token_signature',
      'id_token',
      'userinfo',
    ]);
    const [form] = provider.tokenRequests;
    // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    const basic = Buffer.from(form?.get('authorization')?.slice('Basic '.length) ?? '', 'base64').toString();
    const parts = basic.split(':').map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
    expect(parts).toEqual(['client-1', 'hush & hush']);
    expect(form?.get('code_verifier')).toBe(secrets.codeVerifier);
    expect(form?.get('client_secret')).toBeNull();
  });

  it('sends the secret in the form where the connector says so, and none for a public client', async () => {
    await signIn(await open({ tokenEndpointAuthMethod: 'client_secret_post' }));
    expect(provider.tokenRequests.at(-1)?.get('client_secret')).toBe('hush & hush');
    expect(provider.tokenRequests.at(-1)?.get('authorization')).toBe('');
    await signIn(await open({ tokenEndpointAuthMethod: 'none', clientSecret: undefined }));
    expect(provider.tokenRequests.at(-1)?.get('client_secret')).toBeNull();
    expect(provider.tokenRequests.at(-1)?.get('client_id')).toBe('client-1');
  });

  it('proves itself by a key of the connector alone, for exactly one audience, and once', async () => {
    for (const clientAssertionAudience of ['issuer', 'token_endpoint'] as const) {
      const opened = await open({
        clientSecret: undefined,
        tokenEndpointAuthMethod: 'private_key_jwt',
        clientAssertionAudience,
      });
      await signIn(opened);
      await signIn(opened);
      const forms = provider.tokenRequests.slice(-2);
      const [key] = await opened.connectors.keys.list(opened.connector.id);
      const assertions = await Promise.all(
        forms.map(async (form) => {
          expect(form.get('client_secret')).toBeNull();
          expect(form.get('authorization')).toBe('');
          return jwtVerify(form.get('client_assertion') ?? '', await importJWK(key?.publicJwk ?? {}), {
            audience: clientAssertionAudience === 'issuer' ? provider.issuer : opened.connector.tokenEndpoint,
            issuer: 'client-1',
            subject: 'client-1',
            algorithms: ['RS256'],
          });
        }),
      );
      for (const { payload, protectedHeader } of assertions) {
        expect(typeof payload.aud).toBe('string');
        expect(protectedHeader.kid).toBe(key?.kid);
        expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(70);
      }
      expect(assertions[0]?.payload.jti).not.toBe(assertions[1]?.payload.jti);
    }
  });

  it('signs people in by userinfo alone where the provider speaks only OAuth 2.0', async () => {
    const opened = await open({ type: 'oauth2', subjectClaim: 'id' });
    provider.forge.token = () => ({
      status: 200,
      body: { access_token: 'gho_x', token_type: 'bearer', scope: '' },
    });
    provider.forge.userinfo = () => ({
      status: 200,
      body: { id: 583231, login: 'octocat', email: 'octo@corp.example', groups: ['staff'] },
    });
    const url = new URL(await opened.providers.start(opened.connector, secrets, redirectUri));
    expect([...url.searchParams.keys()].toSorted()).toEqual([
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'response_type',
      'state',
    ]);
    const { principal, passed } = await signIn(opened);
    expect(principal).toEqual({
      externalSub: '583231',
      externalIss: provider.issuer,
      email: 'octo@corp.example',
      claims: { groups: ['staff'] },
    });
    expect(passed).toEqual(['response_issuer', 'authorization', 'code_exchange', 'userinfo']);
    expect(provider.tokenRequests.at(-1)?.get('code_verifier')).toBe(secrets.codeVerifier);
    expect(await stepOf(signIn(opened, { state: 'another' }))).toBe('authorization');
    expect(await stepOf(signIn(opened, { iss: 'https://evil.example' }))).toBe('response_issuer');
  });

  it('takes e-mail and its verification from one source, and says nothing of it where that does not', async () => {
    provider.forge.userinfo = () => ({ status: 200, body: { sub: 'visitor|1', email: 'a@b.example' } });
    provider.forge.claims = (claims) => ({ ...claims, email_verified: true });
    const { principal } = await signIn(await open());
    expect(principal.email).toBe('a@b.example');
    expect(principal).not.toHaveProperty('emailVerified');
    provider.forge.userinfo = () => ({ status: 200, body: { sub: 'visitor|1', email_verified: true } });
    provider.forge.claims = (claims) => claims;
    const fromIdToken = (await signIn(await open())).principal;
    expect(fromIdToken.email).toBe('from-id-token@corp.example');
    expect(fromIdToken).not.toHaveProperty('emailVerified');
  });

  const claimForgeries: [string, (claims: Record<string, unknown>) => Record<string, unknown>][] = [
    ['another issuer', (claims) => ({ ...claims, iss: 'https://evil.example' })],
    ['another audience', (claims) => ({ ...claims, aud: 'client-2' })],
    ['further audiences without azp', (claims) => ({ ...claims, aud: ['client-1', 'client-2'] })],
    ['azp of another client', (claims) => ({ ...claims, azp: 'client-2' })],
    [
      'azp of another among several',
      (claims) => ({ ...claims, aud: ['client-1', 'client-2'], azp: 'client-2' }),
    ],
    ['another nonce', (claims) => ({ ...claims, nonce: 'replayed' })],
    ['no nonce', (claims) => ({ ...claims, nonce: undefined })],
    ['no sub', (claims) => ({ ...claims, sub: undefined })],
    ['an empty sub', (claims) => ({ ...claims, sub: '' })],
    ['a number as sub', (claims) => ({ ...claims, sub: 7 })],
    ['a sub of 256 characters', (claims) => ({ ...claims, sub: 'x'.repeat(256) })],
    ['no exp', (claims) => ({ ...claims, exp: undefined })],
    ['an exp that is over', (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 60 })],
    ['an iat in the future', (claims) => ({ ...claims, iat: Math.floor(Date.now() / 1000) + 120 })],
    ['an nbf in the future', (claims) => ({ ...claims, nbf: Math.floor(Date.now() / 1000) + 120 })],
    ['at_hash of another token', (claims) => ({ ...claims, at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' })],
  ];
  it.each(claimForgeries)('refuses an ID token with %s', async (_, forged) => {
    provider.forge.claims = forged;
    const failure = await failureOf(signIn(await open()));
    expect(failure.step).toBe('id_token');
    expect(failure.mend).not.toBe('');
  });

  it('refuses every signature that is not by a published key with an algorithm of the connector', async () => {
    const other = await generateKeyPair('ES256', { extractable: true });
    const rsa = await generateKeyPair('RS256', { extractable: true });
    const pem = new TextEncoder().encode(await exportSPKI((await importJWK(provider.jwk)) as CryptoKey));
    const jwkText = new TextEncoder().encode(JSON.stringify(provider.jwk));
    const unsigned = (header: object) => (claims: object) =>
      Promise.resolve(
        `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`,
      );
    const forgeries: ((claims: object) => Promise<string>)[] = [
      (claims) => signWith(other.privateKey, { alg: 'ES256', kid: 'key-1' }, claims),
      (claims) => signWith(other.privateKey, { alg: 'ES256', kid: 'unknown' }, claims),
      (claims) => signWith(rsa.privateKey, { alg: 'RS256', kid: 'key-1' }, claims),
      (claims) => signWith(pem, { alg: 'HS256', kid: 'key-1' }, claims),
      (claims) => signWith(jwkText, { alg: 'HS256', kid: 'key-1' }, claims),
      ...['none', 'None', 'NONE', 'noNe', ''].map((alg) => unsigned({ alg, kid: 'key-1' })),
      unsigned({ kid: 'key-1' }),
      async (claims) => {
        const [header, , signature] = (
          await signWith(provider.key, { alg: 'ES256', kid: 'key-1' }, claims)
        ).split('.');
        const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url');
        return `${header}.${changed}.${signature}`;
      },
    ];
    const opened = await open();
    for (const sign of forgeries) {
      provider.forge.sign = sign;
      expect(await stepOf(signIn(opened))).toBe('id_token_signature');
    }
  });

  it('refuses an answer of another issuer, and one without iss where it was promised', async () => {
    const opened = await open();
    expect(await stepOf(signIn(opened, { iss: 'https://evil.example' }))).toBe('response_issuer');
    const { providers, connector } = opened;
    const parameters = new URLSearchParams({ code: 'a-code', state: secrets.state });
    const answer = { parameters, secrets, redirectUri, passed: () => undefined };
    expect(await stepOf(providers.finish(connector, answer))).toBe('response_issuer');
    const silent: Connector = { ...connector, authorizationResponseIssParameterSupported: false };
    provider.remember(await providers.start(silent, secrets, redirectUri));
    expect((await providers.finish(silent, answer)).principal.externalSub).toBe('visitor|1');
    expect(provider.tokenRequests).toHaveLength(1);
  });

  it('refuses an answer of another state, and tokens in the answer itself', async () => {
    const opened = await open();
    expect(await stepOf(signIn(opened, { state: 'another' }))).toBe('authorization');
    expect(await stepOf(signIn(opened, { id_token: 'x.y.z' }))).toBe('authorization');
    expect(await stepOf(signIn(opened, { response: 'x.y.z' }))).toBe('authorization');
    expect(provider.tokenRequests).toHaveLength(0);
  });

  it('says what the provider said', async () => {
    const failure = await failureOf(
      signIn(await open(), { error: 'access_denied', error_description: 'No.' }),
    );
    expect(failure).toMatchObject({
      step: 'authorization',
      received: expect.stringContaining('"access_denied"') as string,
    });
    expect(failure.mend).toContain('cancelled');
  });

  it('refuses userinfo of another person, of a failing endpoint, or signed by nobody knows whom', async () => {
    const opened = await open();
    const forgeries: (typeof provider.forge.userinfo)[] = [
      (body) => ({ status: 200, body: { ...body, sub: 'admin' } }),
      () => ({ status: 200, body: {} }),
      () => ({ status: 500, body: {} }),
      () => ({ status: 200, body: '<html>' }),
      () => ({
        status: 200,
        body: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2aXNpdG9yfDEifQ.',
        type: 'application/jwt',
      }),
    ];
    for (const userinfo of forgeries) {
      provider.forge.userinfo = userinfo;
      expect(await stepOf(signIn(opened))).toBe('userinfo');
    }
  });

  it('refuses more claims than a header can carry', async () => {
    provider.forge.userinfo = (body) => ({
      status: 200,
      body: { ...body, groups: Array(500).fill('a-group-of-people') },
    });
    expect(await stepOf(signIn(await open()))).toBe('userinfo');
  });

  it('refuses a token endpoint that errs, without showing what it said', async () => {
    const opened = await open();
    const answers: [unknown, number, string][] = [
      [{ error: 'invalid_client', error_description: 'GEHEIM' }, 401, 'client secret'],
      [{ error: 'invalid_grant', error_description: 'GEHEIM' }, 400, 'redirect URI'],
      ['<html>GEHEIM</html>', 200, ''],
      [{ access_token: 'GEHEIM', token_type: 'Bearer' }, 200, ''],
      [{ id_token: 'GEHEIM', access_token: 'GEHEIM', token_type: 'Bearer' }, 200, ''],
      [{ error: 'GEHEIM\u0007' }, 500, ''],
    ];
    for (const [body, status, mend] of answers) {
      provider.forge.token = () => ({ status, body });
      const failure = await failureOf(signIn(opened));
      expect(['code_exchange', 'id_token_signature']).toContain(failure.step);
      expect(failure.mend).toContain(mend);
      expect(`${failure.received}${failure.expected}${failure.mend}`).not.toContain('GEHEIM');
    }
  });

  it('fails within its time when the provider is gone', async () => {
    const opened = await open();
    const port = Number(new URL(provider.issuer).port);
    await provider.close();
    expect(await stepOf(signIn(opened))).toBe('code_exchange');
    provider = await startForgingProvider();
    expect(Number(new URL(provider.issuer).port)).not.toBe(port);
  });
});

describe('discovery', () => {
  const fake = (status: number, body: unknown) => {
    const answer = () =>
      Promise.resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }));
    return Object.assign(answer, { validate: fetch.validate, close: fetch.close }) as GuardedFetch;
  };

  const oidc = (issuer: string) => ({ issuer, type: 'oidc' as const });

  it('says which step failed, and the likely mend', async () => {
    const okta = await failureOf(discover(fake(404, {}), oidc('https://acme.okta.com')));
    expect(okta).toMatchObject({
      step: 'http',
      mend: expect.stringContaining('https://acme.okta.com/oauth2/default') as string,
    });
    const bare = await failureOf(discover(fake(404, {}), oidc('https://login.corp.example')));
    expect(bare.mend).toContain('https://your_okta_domain.okta.com/oauth2/default');
    const html = await failureOf(discover(fake(200, '<html>'), oidc('https://login.corp.example')));
    expect(html).toMatchObject({
      step: 'document',
      received: expect.stringContaining('not JSON') as string,
    });
    const slash = await failureOf(
      discover(fake(200, { issuer: 'https://corp.auth0.com/' }), oidc('https://corp.auth0.com')),
    );
    expect(slash).toMatchObject({
      step: 'issuer',
      mend: expect.stringContaining('Enter "https://corp.auth0.com/"') as string,
    });
    const tenant = { issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' };
    const entra = await failureOf(
      discover(fake(200, tenant), oidc('https://login.microsoftonline.com/common/v2.0')),
    );
    expect(entra).toMatchObject({
      step: 'issuer',
      mend: expect.stringContaining('YOUR_TENANT_ID') as string,
    });
    const half = await failureOf(
      discover(fake(200, { issuer: 'https://a.example' }), oidc('https://a.example')),
    );
    expect(half.received).toContain('token_endpoint');
  });

  it('refuses issuers that may not be reached', async () => {
    const refused = [
      ['http://idp.example', 'url'],
      ['https://127.0.0.1', 'address'],
      ['https://169.254.169.254', 'address'],
      ['https://a.example/?x=1', 'url'],
      ['https://a.example/.well-known/openid-configuration', 'url'],
    ] as const;
    for (const [issuer, step] of refused) {
      expect(await stepOf(discover(fetch, oidc(issuer))), issuer).toBe(step);
    }
  });

  it('refuses, when saving, a provider whose keys nobody can verify with', async () => {
    provider.forge.keys = () => ({ keys: [{ kty: 'oct', k: 'AAAA' }] });
    expect(await stepOf(open())).toBe('keys');
    provider.forge.keys = () => 'no key set';
    expect(await stepOf(open())).toBe('keys');
  });
});

describe('the connection test', () => {
  it('goes through every step of a sound provider', async () => {
    const { connector, needs } = await open();
    provider.forge.token = () => ({ status: 400, body: { error: 'invalid_grant' } });
    const report = await testConnection(needs, connector);
    expect(report.ok).toBe(true);
    expect(report.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'discovery ok',
      'endpoints ok',
      'algorithms ok',
      'clock ok',
      'keys ok',
      'response_issuer ok',
      'credentials ok',
      'sign_in skipped',
    ]);
  });

  it('shows all that is wrong at once', async () => {
    const { connector, needs } = await open();
    provider.forge.date = new Date(Date.now() - 120_000);
    provider.forge.token = () => ({ status: 401, body: { error: 'invalid_client' } });
    provider.forge.keys = () => ({ keys: [] });
    provider.forge.discovery = (document) => ({ ...document, token_endpoint: `${provider.issuer}/new` });
    const report = await testConnection(needs, connector);
    expect(report.ok).toBe(false);
    const failed = report.steps.filter(({ outcome }) => outcome === 'failed');
    expect(failed.map(({ step }) => step)).toEqual(['endpoints', 'clock', 'keys', 'credentials']);
    for (const { mend } of failed) expect(mend).not.toBeNull();
  });

  it('trusts no provider that gives tokens for a made-up code', async () => {
    const { connector, needs } = await open();
    const report = await testConnection(needs, connector);
    expect(report.steps.find(({ step }) => step === 'credentials')?.outcome).toBe('failed');
  });
});
