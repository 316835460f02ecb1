import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';
import { createFederationWorld, type FederationWorld } from '../federation/federation-world.ts';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { lookInto } from '../harness/look-into.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { spawnTessera } from '../harness/spawn-tessera.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

const day = 24 * 3_600_000;
type KeySet = { keys: { kid: string; alg: string; kty: string }[] };
const readKids = async (address: string): Promise<string[]> =>
  ((await send(address)).json() as KeySet).keys.map(({ kid }) => kid);

describe.each(databaseKinds)('signing keys at the front door, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let call: Client;
  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    call = world.call;
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const keySet = (path = '') => `${tessera.urls.oidc}${path}/.well-known/jwks`;
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
    );
  /** Somebody with an account and a role in the team, who administers nothing. */
  async function createColleague(email: string, role: 'owner' | 'security'): Promise<Client> {
    const { invitation } = await call('members.add', {
      params: { id: world.team.id },
      body: { email, role },
    });
    const person = await setUpPerson(String(invitation?.url), {
      email,
      password: 'quite another passphrase, 6 words',
      name: 'Grace',
    });
    const token = await createApiToken(tessera.urls.origin, person, { name: 'mine' });
    return createClient({ baseUrl: tessera.urls.api, token });
  }

  test('an administrator sees stages, and nothing secret', async () => {
    const { keys } = await call('signing-keys.list', {});
    expect(keys.map(({ purpose, algorithm, stage }) => `${purpose} ${algorithm} ${stage}`)).toEqual(
      expect.arrayContaining(['workload RS256 active', 'workload ES256 active', 'passport RS256 active']),
    );
    expect(JSON.stringify(keys)).not.toMatch(/"d"|sealed/);
    expect(await readKids(keySet())).toEqual(
      expect.arrayContaining(keys.filter(({ purpose }) => purpose === 'workload').map((key) => key.kid)),
    );
  });

  test('nobody else does, nor changes one: neither an owner of a team nor a token with a list of permissions', async () => {
    const owner = await createColleague('owner@acme.example', 'owner');
    const [kid = ''] = await readKids(keySet());
    const body = { purpose: 'workload' } as const;
    const builder = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, world.admin, {
        name: 'builder',
        teamSlug: 'acme',
        builds: [{ projectId: world.deployment.projectId, environment: 'production' }],
        buildsOnly: true,
      }),
    });
    for (const client of [owner, builder]) {
      expect(await codeOf(client('signing-keys.list', {}))).toBe('forbidden');
      expect(await codeOf(client('signing-keys.rotate', { body }))).toBe('forbidden');
      expect(await codeOf(client('signing-keys.revoke-all', { body }))).toBe('forbidden');
      expect(await codeOf(client('signing-keys.revoke', { params: { kid } }))).toBe('forbidden');
      expect(await codeOf(client('signing-keys.delete', { params: { kid } }))).toBe('forbidden');
    }
    const stranger = createClient({ baseUrl: tessera.urls.api, token: 'nothing' });
    expect(await codeOf(stranger('signing-keys.list', {}))).toBe('unauthorized');
    expect(await codeOf(call('signing-keys.delete', { params: { kid } }))).toBe('key_needed');
    expect(await codeOf(call('signing-keys.revoke', { params: { kid: 'nonsense' } }))).toBe('not_found');
    expect(await readKids(keySet())).toContain(kid);
  });

  test('owners of a team give it keys of its own; others of the team only look', async () => {
    const params = { id: world.team.id, purpose: 'workload' } as const;
    const owner = await createColleague('second@acme.example', 'owner');
    const guard = await createColleague('guard@acme.example', 'security');
    const body = { inGlobalKeySet: true };
    expect(await codeOf(guard('team-keys.give', { params, body }))).toBe('forbidden');
    const before = await readKids(keySet('/acme'));
    const given = await owner('team-keys.give', { params, body });
    expect(given.own).toMatchObject({ inGlobalKeySet: true, endsAt: null });
    const own = given.keys.filter(({ teamId }) => teamId === world.team.id);
    expect(own.map(({ algorithm, stage }) => [algorithm, stage])).toEqual([
      ['RS256', 'next'],
      ['ES256', 'next'],
    ]);
    expect((await readKids(keySet('/acme'))).toSorted()).toEqual(
      [...before, ...own.map(({ kid }) => kid)].toSorted(),
    );
    expect(await readKids(keySet())).toEqual(expect.arrayContaining(own.map(({ kid }) => kid)));
    const { purposes } = await guard('team-keys.list', { params: { id: world.team.id } });
    expect(purposes.map(({ purpose, own: has }) => [purpose, has !== null])).toEqual([
      ['workload', true],
      ['passport', false],
    ]);
    const listed = await lookInto(
      tessera.database,
      `select "action", "teamId" from "auditRecords" where "action" like 'team-keys.%'`,
    );
    expect(listed).toEqual([{ action: 'team-keys.give', teamId: world.team.id }]);
    expect(await codeOf(guard('team-keys.rotate', { params, body: {} }))).toBe('forbidden');
    expect(await codeOf(guard('team-keys.end', { params }))).toBe('forbidden');
    expect(await codeOf(owner('team-keys.end', { params }))).toBe('done');
  });

  test('a revoked Passport key ends the sessions it signed, and a new sign-in goes on (security-101c)', async () => {
    const visitor = createVisitor();
    const { url } = world.deployment;
    expect((await passPassport(visitor, `${url}/`)).status).toBe(200);
    expect((await visitor.open(`${url}/`)).status).toBe(200);
    const [kid = ''] = await readKids(`${tessera.urls.passport}/acme/.well-known/jwks`);
    const { revoked, replacements, outside } = await call('signing-keys.revoke', { params: { kid } });
    expect([revoked[0]?.kid, revoked[0]?.stage]).toEqual([kid, 'revoked']);
    expect(outside.cachedUntil).toBeGreaterThan(Date.now());
    expect((await visitor.open(`${url}/`)).status).toBe(303);
    const [session] = await lookInto(
      tessera.database,
      'select "endedBy" from "passportSessions" order by "createdAt" desc',
    );
    expect(session).toEqual({ endedBy: 'key-revoked' });
    const after = await readKids(`${tessera.urls.passport}/acme/.well-known/jwks`);
    expect(after).toEqual([replacements[0]?.kid]);
    expect((await passPassport(createVisitor(), `${url}/`)).status).toBe(200);
    const records = await lookInto(
      tessera.database,
      `select "action", "object" from "auditRecords" where "action" like 'signing-key.%' order by "id"`,
    );
    expect(records).toEqual([
      { action: 'signing-key.revoke', object: kid },
      { action: 'signing-key.activate', object: replacements[0]?.kid },
    ]);
  });

  test('a deployment is handed no token of a revoked key for another minute', async () => {
    const visitor = createVisitor();
    const { url } = world.deployment;
    const tokensOf = async () => {
      const page = await passPassport(visitor, `${url}/`);
      const { headers } = page.json() as { headers: Record<string, string> };
      return [headers['x-vercel-oidc-token'], headers['x-vercel-oidc-passport-token']].map((token) =>
        token === undefined ? undefined : decodeProtectedHeader(token).kid,
      );
    };
    const before = await tokensOf();
    expect(before.every((kid) => typeof kid === 'string')).toBe(true);
    await call('signing-keys.revoke-all', { body: { purpose: 'workload' } });
    await call('signing-keys.revoke-all', { body: { purpose: 'passport' } });
    const after = await tokensOf();
    for (const kid of after) expect(before).not.toContain(kid);
    expect(await readKids(keySet())).toEqual(expect.arrayContaining(after));
  });

  test('a JWT access token of a revoked key is in force no more (security-34)', async () => {
    const query = { teamId: world.team.id };
    const { id } = await call('apps.create', {
      query,
      body: {
        name: 'Batch',
        redirectUris: ['http://localhost:9/callback'],
        scopes: ['openid'],
        tokenEndpointAuthMethods: ['client_secret_basic'],
        signInAccess: 'anyone',
        accessTokenFormat: 'jwt',
        grantTypes: ['authorization_code', 'client_credentials'],
      },
    } as never);
    const { clientSecret } = await call('app-secrets.create', { params: { id }, query });
    const authorization = `Basic ${Buffer.from(`${id}:${clientSecret}`).toString('base64')}`;
    const post = (path: string, fields: Record<string, string>) =>
      send(`${tessera.urls.api}/login/oauth/token${path}`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(fields).toString(),
      });
    const answer = await post('', { grant_type: 'client_credentials' });
    expect(answer.status, answer.text).toBe(200);
    const { access_token: token } = answer.json() as { access_token: string };
    const isActive = async () =>
      ((await post('/introspect', { token })).json() as { active: boolean }).active;
    expect(await isActive()).toBe(true);
    const kid = String(decodeProtectedHeader(token).kid);
    await call('signing-keys.revoke', { params: { kid } });
    expect(await isActive()).toBe(false);
  });

  test('the schedule removes what is over, without anybody', async () => {
    const [kid = ''] = await readKids(`${tessera.urls.origin}/.well-known/jwks`);
    const token = await createApp(call, world.team.id, { name: 'Other' });
    expect(token.clientId).toBeDefined();
    const { keys } = await call('signing-keys.rotate', { body: { purpose: 'id-token' } });
    tessera.advance(day + 60_000);
    // The administrator's login is of yesterday now.
    expect(await codeOf(call('signing-keys.list', {}))).toBe('fresh_authentication_required');
    expect(await readKids(`${tessera.urls.origin}/.well-known/jwks`)).toContain(kid);
    tessera.advance(31 * day);
    const later = async () => readKids(`${tessera.urls.origin}/.well-known/jwks`);
    await expect.poll(later, { timeout: 15_000, interval: 300 }).not.toContain(kid);
    expect(await later()).toContain(keys[0]?.kid);
  });
});

describe.each(databaseKinds)('signing keys on two nodes and at the machine, on %s', (kind) => {
  const run = promisify(execFile);

  test('every node follows within seconds, whoever made the change', { timeout: 240_000 }, async () => {
    await using tessera = await spawnTessera(kind, { processes: 2 });
    const [one, two] = tessera.ports as [number, number];
    const address = `${tessera.urls.oidc}/.well-known/jwks`;
    const kids = async (port: number) =>
      ((await send(address, { port })).json() as KeySet).keys.map((key) => key.kid);
    expect(await kids(two)).toEqual(await kids(one));

    // What an operator types, as a process of its own on the same database.
    const main = join(import.meta.dirname, '../../packages/server/src/main.ts');
    const tesseraKeys = async (...words: string[]) => {
      const { stdout } = await run(process.execPath, [main, 'keys', ...words], {
        env: { PATH: process.env['PATH'], ...tessera.variables },
      });
      return JSON.parse(stdout) as { keys: { kid: string; stage: string }[]; revoked: { kid: string }[] };
    };
    const listed = await tesseraKeys('list');
    expect(listed.keys.filter(({ stage }) => stage === 'active')).toHaveLength(5);
    const { keys } = await tesseraKeys('rotate', '--purpose', 'workload', '--algorithm', 'RS256');
    const made = keys[0]?.kid;
    const began = performance.now();
    for (const port of tessera.ports) {
      await expect.poll(() => kids(port), { timeout: 10_000, interval: 50 }).toContain(made);
    }
    const { revoked } = await tesseraKeys('revoke', '--purpose', 'workload');
    expect(revoked.map(({ kid }) => kid)).toContain(made);
    const revokedAt = performance.now();
    for (const port of tessera.ports) {
      await expect.poll(() => kids(port), { timeout: 10_000, interval: 50 }).not.toContain(made);
    }
    expect(performance.now() - revokedAt).toBeLessThan(5_000);
    console.log(
      `followed after ${Math.round(performance.now() - revokedAt)} ms (${kind}); both changes in ${Math.round(performance.now() - began)} ms`,
    );
    expect(await kids(two)).toEqual(await kids(one));
    await expect(tesseraKeys('revoke')).rejects.toThrow(/Name either one key/);
    await expect(tesseraKeys('revoke', '--kid', '-nonsense')).rejects.toThrow(/There is no key/);
    const stranger = run(process.execPath, [main, 'keys', 'list'], {
      env: {
        PATH: process.env['PATH'],
        ...tessera.variables,
        TESSERA_MASTER_KEY: Buffer.alloc(32, 7).toString('base64url'),
      },
    });
    await expect(stranger).rejects.toThrow(/does not open with this master key/);
  });
});

describe.each(databaseKinds)('keys of a team’s own, on %s', (kind) => {
  const publishSeconds = 900;
  const afterPublication = (publishSeconds + 60) * 1000;
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind, {
      variables: { TESSERA_KEY_PUBLISH_SECONDS: String(publishSeconds), TESSERA_KEY_ROTATION_DAYS: 'off' },
    });
  });
  afterAll(() => world?.tessera.close());

  const kidOf = async () =>
    decodeProtectedHeader(await world.mintToken(world.builderToken, { environment: 'production' })).kid;
  const rotate = (purpose: 'workload' | 'passport', body: object = {}) =>
    world.call('team-keys.rotate', { params: { id: world.team.id, purpose }, body }).then(
      ({ keys }) => keys,
      (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
    );

  test('are rotated by an owner, and by nobody else’s team nor purpose', async () => {
    const params = { id: world.team.id, purpose: 'workload' } as const;
    const shared = await kidOf();
    expect(await rotate('workload')).toBe('not_found');
    const { keys } = await world.call('team-keys.give', { params, body: { inGlobalKeySet: false } });
    expect(await rotate('workload')).toBe('key_rotation_under_way');
    expect(await rotate('passport')).toBe('not_found');
    world.tessera.advance(afterPublication);
    const first = await kidOf();
    expect(first).not.toBe(shared);
    expect(keys.find(({ kid }) => kid === first)?.teamId).toBe(world.team.id);

    expect(await rotate('workload', { algorithm: 'PS256' })).toBe('not_found');
    expect(await rotate('workload', { teamId: 'team_other' })).toBe('bad_request');
    const next = await rotate('workload', { algorithm: 'RS256' });
    expect(next).toMatchObject([{ teamId: world.team.id, algorithm: 'RS256', stage: 'next' }]);
    const [{ kid } = { kid: '' }] = next as { kid: string }[];
    const published = await readKids(`${world.tessera.urls.oidc}/acme/.well-known/jwks`);
    expect(published).toEqual(expect.arrayContaining([first, kid]));
    expect(await readKids(`${world.tessera.urls.oidc}/.well-known/jwks`)).not.toContain(kid);
    expect(await kidOf()).toBe(first);
    expect(await rotate('workload', { algorithm: 'RS256' })).toBe('key_rotation_under_way');
    world.tessera.advance(afterPublication);
    expect(await kidOf()).toBe(kid);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    expect(records.filter(({ action }) => action === 'signing-key.publish')).toMatchObject([
      { object: kid, after: { purpose: 'workload', follows: first } },
    ]);
  });
});
