import { readFileSync, existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../packages/server/src/logger/index.ts';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { addressOf } from '../harness/test-databases.ts';

describe('the secrets of a sign-in', () => {
  let tessera: RunningTessera | undefined;
  let log = '';
  /** Each by a name, so that a failure says which one without showing it. */
  const secrets: Record<string, string> = {};

  beforeAll(async () => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString();
        done();
      },
    });
    tessera = await startTessera('sqlite', { logger: createLogger('debug', stream) });
    const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    Object.assign(secrets, await makeSecrets(tessera, world));
  }, 120_000);
  afterAll(() => tessera?.close());

  test('are made of enough randomness to be guessed by nobody (security-6, 41, 69)', () => {
    const { password: _, ...made } = secrets;
    for (const [name, secret] of Object.entries(made)) {
      expect(secret.length, name).toBeGreaterThanOrEqual(43);
    }
  });

  test('are nowhere in the database: a copy of it has nothing to present (security-101d)', () => {
    if (tessera === undefined) throw new Error('the instance is not started');
    const address = addressOf(tessera.database);
    if (address.dialect !== 'sqlite') throw new Error('this reads the file of SQLite');
    const files = [address.path, `${address.path}-wal`].filter((file) => existsSync(file));
    const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
    // The search works: what is no secret is found.
    expect(bytes.includes('ada@acme.example')).toBe(true);
    const found = Object.keys(secrets).filter((name) => bytes.includes(secrets[name] ?? ''));
    expect(found).toEqual([]);
  });

  test('are never logged, at any level, whether they are right or wrong (security-101e)', () => {
    expect(log).toContain('"level"');
    const found = Object.keys(secrets).filter((name) => log.includes(secrets[name] ?? ''));
    expect(found).toEqual([]);
  });
});

/** Makes and uses one of each, well and badly. */
async function makeSecrets(
  { urls, setUpLink }: RunningTessera,
  world: SignInWorld,
): Promise<Record<string, string>> {
  const { admin, app } = world;
  const { code, request } = await world.issueCode();
  const tokens = (await world.redeem(code, request)).json() as Record<string, string>;
  const second = (await world.refresh(tokens['refresh_token'] ?? '')).json() as Record<string, string>;
  const { code: unused, request: pending } = await world.issueCode();
  const secrets = {
    password: admin.password,
    'set-up token': new URL(setUpLink ?? '').searchParams.get('token') ?? '',
    'client secret': app.clientSecret,
    'API token': world.apiToken,
    'used code': code,
    'unused code': unused,
    'code verifier': pending.codeVerifier,
    'access token': tokens['access_token'] ?? '',
    'refresh token': tokens['refresh_token'] ?? '',
    'second refresh token': second['refresh_token'] ?? '',
    'second access token': second['access_token'] ?? '',
    'ID token': tokens['id_token'] ?? '',
    ...Object.fromEntries(admin.visitor.cookies.list().map(({ name, value }) => [name, value])),
  };
  // Each where it does not belong: errors must not tell of them either.
  const token = `${urls.api}/login/oauth/token`;
  for (const [name, secret] of Object.entries(secrets)) {
    await sendForm(token, { grant_type: 'authorization_code', code: secret, client_id: app.clientId });
    await sendForm(token, { grant_type: 'refresh_token', refresh_token: secret, client_secret: secret });
    await sendForm(token, { grant_type: secret }, { authorization: `Basic ${secret}` });
    await send(`${urls.api}/v2/user`, { headers: { authorization: `Bearer ${secret}` } });
    await send(`${urls.origin}/account`, { headers: { cookie: `${name.replaceAll(' ', '-')}=${secret}` } });
    await send(`${urls.origin}/login`, { headers: { cookie: `tessera_session=${secret}` } });
  }
  return secrets;
}
