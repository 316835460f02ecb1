import { existsSync, readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDynamicClients } from '../conformance/dynamic-clients.ts';
import { createFapi } from '../conformance/fapi2.ts';
import { startSuite, type Suite } from '../conformance/suite.ts';
import { createLogger } from '../../packages/server/src/logger/index.ts';
import { createDevice, createDeviceApp, type DeviceAuthorization } from '../harness/device.ts';
import { send, sendForm } from '../harness/send.ts';
import { addressOf } from '../harness/test-databases.ts';

type Secrets = Record<string, string>;

describe('the secrets of all ways to sign in', () => {
  let suite: Suite;
  let log = '';
  /** Each by a name, so that a failure says which one without showing it. */
  let made: Secrets;
  let told: Secrets;

  beforeAll(async () => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString();
        done();
      },
    });
    suite = await startSuite('sqlite', {
      logger: createLogger('debug', stream),
      variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' },
    });
    ({ made, told } = await makeSecrets(suite));
    await misplace(suite, { ...made, ...told });
  }, 120_000);
  afterAll(() => suite?.close());

  test('are made of enough randomness to be guessed by nobody (security-6, 17, 41, 69)', () => {
    for (const [name, secret] of Object.entries(made)) {
      expect(secret.length, name).toBeGreaterThanOrEqual(43);
      expect(secret, name).toMatch(/^[\w.:-]+$/);
    }
    expect(new Set(Object.values(made)).size).toBe(Object.keys(made).length);
  });

  test('are nowhere in the database: a copy of it has nothing to present (security-101d)', () => {
    const address = addressOf(suite.tessera.database);
    if (address.dialect !== 'sqlite') throw new Error('this reads the file of SQLite');
    const files = [address.path, `${address.path}-wal`].filter((file) => existsSync(file));
    const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
    // The search works: what is no secret is found.
    expect(bytes.includes('ada@acme.example')).toBe(true);
    const all = { ...made, ...told };
    expect(Object.keys(all).filter((name) => bytes.includes(all[name] ?? ''))).toEqual([]);
  });

  test('are never logged, at any level, whether they are right or wrong (security-101e)', () => {
    expect(log).toContain('"level"');
    const all = { ...made, ...told };
    expect(Object.keys(all).filter((name) => log.includes(all[name] ?? ''))).toEqual([]);
  });
});

/** One of each, used: those that the server made, and those that people and clients made. */
async function makeSecrets(suite: Suite): Promise<{ made: Secrets; told: Secrets }> {
  const { world, first, tessera } = suite;
  const { admin, call, team } = world;
  const { code, request } = await world.issueCode();
  const tokens = (await world.redeem(code, request)).json() as Secrets;
  const second = (await world.refresh(tokens['refresh_token'] ?? '')).json() as Secrets;
  const { code: unused, request: pending } = await world.issueCode();

  const fapi = await createFapi(suite);
  const pushed = await fapi.push();
  const bound = await fapi.signIn({ scope: 'openid offline_access', prompt: 'consent' });
  const proof = await fapi.createProof(fapi.first, 'POST', suite.metadata.token_endpoint);

  const clients = createDynamicClients(suite);
  const registered = await clients.register({
    token_endpoint_auth_method: 'client_secret_basic',
    jwks: undefined,
  });
  const asserting = await clients.register();

  const device = createDevice(tessera.urls.api, await createDeviceApp(call, team.id, 'Television'));
  const begun = (await device.authorize({ scope: 'openid' })).json() as DeviceAuthorization;

  return {
    made: {
      'set-up token': new URL(tessera.setUpLink ?? '').searchParams.get('token') ?? '',
      'client secret': first.clientSecret,
      'API token': world.apiToken,
      'used code': code,
      'unused code': unused,
      'access token': tokens['access_token'] ?? '',
      'refresh token': tokens['refresh_token'] ?? '',
      'second refresh token': second['refresh_token'] ?? '',
      'second access token': second['access_token'] ?? '',
      'ID token': tokens['id_token'] ?? '',
      request_uri: pushed.requestUri,
      'bound access token': bound.tokens.access_token,
      'bound refresh token': bound.tokens.refresh_token ?? '',
      'registration token': String(registered.registered['registration_access_token']),
      'registered secret': String(registered.registered['client_secret']),
      'device code': begun.device_code,
      ...Object.fromEntries(admin.visitor.cookies.list().map(({ name, value }) => [name, value])),
    },
    told: {
      password: admin.password,
      'code verifier': pending.codeVerifier,
      'client assertion': await clients.createAssertion(asserting),
      'DPoP proof': proof,
      'user code': begun.user_code,
    },
  };
}

/** Sends each where it does not belong: errors must not tell of them either. */
async function misplace({ tessera, first, metadata }: Suite, secrets: Secrets): Promise<void> {
  const { api, origin } = tessera.urls;
  const { token_endpoint: token } = metadata;
  for (const secret of Object.values(secrets)) {
    await sendForm(token, { grant_type: 'authorization_code', code: secret, client_id: first.clientId });
    await sendForm(token, { grant_type: 'refresh_token', refresh_token: secret, client_secret: secret });
    await sendForm(
      token,
      { grant_type: secret },
      { authorization: `Basic ${btoa(`x:${secret}`)}`, dpop: secret },
    );
    await sendForm(`${api}/login/oauth/par`, { client_assertion: secret, request_uri: secret });
    await sendForm(`${api}/login/oauth/token/introspect`, { token: secret, client_id: secret });
    await send(`${api}/v2/user`, { headers: { authorization: `Bearer ${secret}`, dpop: secret } });
    await send(`${api}/login/oauth/register/x`, { headers: { authorization: `Bearer ${secret}` } });
    await send(
      `${origin}/oauth/authorize?client_id=${first.clientId}&request_uri=${encodeURIComponent(secret)}`,
    );
    await send(`${origin}/oauth/logout?id_token_hint=${encodeURIComponent(secret)}`);
    await send(`${origin}/login`, {
      headers: { cookie: `tessera_session=${secret}; tessera_browser=${secret}` },
    });
  }
}
