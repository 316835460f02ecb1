import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { openDatabase } from '../../packages/server/src/database/index.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { startPostgresServer, type PostgresServer } from '../harness/postgres-server.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createApp, type ConfidentialApp } from '../harness/sign-in-world.ts';
import { createSwitchableDatabase } from '../harness/switchable-database.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createPostgresDatabase, createTestDatabase, type TestDatabase } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

/** A database that a test can take away and give back. */
type Stoppable = {
  title: string;
  create(): Promise<{
    database: TestDatabase;
    openDatabase?: typeof openDatabase;
    stop(): Promise<void>;
    start(): Promise<void>;
    remove(): Promise<void>;
  }>;
};

const stoppable: Stoppable[] = [
  {
    title: 'PostgreSQL stopped',
    async create() {
      const server: PostgresServer = await startPostgresServer();
      const database = await createPostgresDatabase(server.url);
      return {
        // It goes with its server.
        database: { ...database, remove: async () => {} },
        stop: () => server.stop(),
        start: () => server.start(),
        remove: () => server.remove(),
      };
    },
  },
  {
    // An open SQLite file cannot be taken away from outside, so this one is a stand-in around the real one.
    title: 'SQLite that answers every question with an input/output error',
    async create() {
      const switchable = createSwitchableDatabase();
      return {
        database: await createTestDatabase('sqlite'),
        openDatabase: switchable.openDatabase,
        stop: async () => switchable.switchOff(),
        start: async () => switchable.switchOn(),
        remove: async () => {},
      };
    },
  },
];

describe.each(stoppable)('$title', ({ create }) => {
  let place: Awaited<ReturnType<Stoppable['create']>>;
  let tessera: RunningTessera;
  let world: PassportWorld;
  let app: ConfidentialApp;
  let visitor: Visitor;
  let published: Answer[];
  let workloadToken: string;

  const keySets = (): string[] => [
    `${tessera.urls.origin}/.well-known/jwks`,
    `${tessera.urls.oidc}/.well-known/jwks`,
    `${tessera.urls.oidc}/acme/.well-known/jwks`,
    `${tessera.urls.passport}/acme/.well-known/jwks`,
  ];
  const documents = (): string[] => [
    `${tessera.urls.origin}/.well-known/openid-configuration`,
    `${tessera.urls.oidc}/.well-known/openid-configuration`,
    `${tessera.urls.oidc}/acme/.well-known/openid-configuration`,
    `${tessera.urls.passport}/acme/.well-known/openid-configuration`,
  ];

  beforeAll(async () => {
    place = await create();
    tessera = await startTessera(place.database.kind, place);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    app = await createApp(world.call, world.team.id);
    visitor = createVisitor();
    await passPassport(visitor, `${world.deployment.url}/`);
    // With keys of its own, the team's key set is another than that of all others.
    await world.call('team-keys.give', {
      params: { id: world.team.id, purpose: 'workload' },
      body: { inGlobalKeySet: false },
    });
    const answer = await send(`${tessera.urls.api}/v1/projects/site/token?teamId=${world.team.id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.apiToken}` },
    });
    workloadToken = (answer.json() as { token: string }).token;
    published = await Promise.all([...keySets(), ...documents()].map((address) => send(address)));
    await place.stop();
  });
  afterAll(async () => {
    await place?.start().catch(() => {});
    await world?.close();
    await tessera?.close();
    await place?.remove();
  });

  const basic = (): { authorization: string } => ({
    authorization: `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}`,
  });
  const token = (): string => `${tessera.urls.api}/login/oauth/token`;

  test('key sets and discovery are answered as before, byte for byte', async () => {
    expect(published[2]?.json()).toMatchObject({ keys: Array.from({ length: 4 }, () => ({ use: 'sig' })) });
    for (const before of published) {
      const now = await send(before.url);
      expect(now.status, before.url.href).toBe(200);
      expect(now.text).toBe(before.text);
      for (const name of ['etag', 'cache-control', 'content-type', 'access-control-allow-origin']) {
        expect([name, now.headers[name]]).toEqual([name, before.headers[name]]);
      }
      const again = await send(before.url, { headers: { 'if-none-match': String(before.headers['etag']) } });
      expect([again.status, again.text]).toEqual([304, '']);
    }
  });

  test('a workload token is neither exchanged nor called in force, nor called over', async () => {
    const exchange = await send(`${tessera.urls.oidc}/~token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: workloadToken, aud: 'sts.amazonaws.com' }),
    });
    expect([exchange.status, exchange.json()]).toEqual([
      503,
      { error: expect.stringMatching(/^unavailable: /), code: 'unavailable', reference: expect.any(String) },
    ]);
    const grant = await sendForm(token(), {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: workloadToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'sts.amazonaws.com',
    });
    const introspection = await sendForm(`${token()}/introspect`, { token: workloadToken }, basic());
    for (const answer of [exchange, grant, introspection]) {
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)]);
      expect(answer.text).not.toContain('active');
    }
  });

  test('an issuer that this process never saw is unavailable, not unknown; what is no slug is unknown', async () => {
    for (const base of [tessera.urls.oidc, tessera.urls.passport]) {
      for (const document of ['jwks', 'openid-configuration']) {
        const answer = await send(`${base}/somebody-else/.well-known/${document}`);
        expectUnavailable(answer);
        expect(answer.headers['cache-control']).toBe('no-store');
        expect((await send(`${base}/Not_A-Slug-/.well-known/${document}`)).status).toBe(404);
      }
    }
  });

  test('the token endpoint answers 503 with Retry-After, in the words of OAuth', async () => {
    for (const fields of [
      {
        grant_type: 'authorization_code',
        code: 'x'.repeat(43),
        redirect_uri: app.redirectUri,
        code_verifier: 'y'.repeat(43),
      },
      { grant_type: 'refresh_token', refresh_token: 'vcr_x' },
      { grant_type: 'client_credentials' },
    ]) {
      const answer = await sendForm(token(), fields, basic());
      expectUnavailable(answer);
      expect(answer.json()).toHaveProperty('error');
    }
  });

  test('a revocation is never said to be done (security-36)', async () => {
    expectUnavailable(await sendForm(`${token()}/revoke`, { token: 'vca_x' }, basic()));
  });

  test('REST answers 503 with Retry-After as a problem document', async () => {
    const answer = await send(`${tessera.urls.api}/v2/user`, {
      headers: { authorization: `Bearer ${world.apiToken}` },
    });
    expectUnavailable(answer);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  test('pages answer 503 with Retry-After as a page with a reference', async () => {
    const { url } = createAuthorizationRequest(tessera.urls.origin, app);
    const answer = await createVisitor().open(url);
    expectUnavailable(answer);
    expect(answer.text).toContain('id="error-reference"');
  });

  test('the gateway is closed: for strangers, for visitors, for programs', async () => {
    expectUnavailable(await createVisitor().open(`${world.deployment.url}/`));
    expectUnavailable(await visitor.open(`${world.deployment.url}/`));
    expectUnavailable(await send(`${world.deployment.url}/`, { headers: { accept: 'application/json' } }));
  });

  test('everything works again soon after the database is back', async () => {
    await place.start();
    const began = performance.now();
    let answer = await visitor.open(`${world.deployment.url}/`);
    while (answer.status === 503 && performance.now() - began < 5_000) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      answer = await visitor.open(`${world.deployment.url}/`);
    }
    expect(answer.status, answer.text).toBe(200);
    const { url } = createAuthorizationRequest(tessera.urls.origin, app);
    expect((await createVisitor().open(url)).status).toBe(303);
  });
});

function expectUnavailable(answer: Answer): void {
  expect(answer.status, `${answer.url.href}: ${answer.text.slice(0, 300)}`).toBe(503);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
}

describe('SQLite that another program has locked for writing', () => {
  test('what writes answers 503 with Retry-After, what reads goes on, and all goes on afterwards', async () => {
    const tessera = await startTessera('sqlite');
    const world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    const visitor = createVisitor();
    try {
      const { url } = world.deployment;
      expect((await passPassport(visitor, `${url}/`)).status).toBe(200);
      const holder = new DatabaseSync(tessera.database.url.slice('sqlite:'.length), { timeout: 5_000 });
      holder.exec('begin immediate');
      try {
        expectUnavailable(await createVisitor().open(`${url}/`));
        expect((await visitor.open(`${url}/`)).status).toBe(200);
      } finally {
        holder.exec('rollback');
        holder.close();
      }
      expect((await createVisitor().open(`${url}/`)).status).toBe(303);
    } finally {
      await world.close();
      await tessera.close();
    }
  });
});
