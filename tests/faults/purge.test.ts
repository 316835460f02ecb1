import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPassportWorld, passPassport } from '../harness/passport-world.ts';
import { lookInto } from '../harness/look-into.ts';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

const day = 24 * 3_600_000;

describe.each(databaseKinds)('rows whose time is over, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera(kind, { variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' } });
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(() => tessera?.close());

  const count = async (table: string): Promise<number> => {
    const [row] = await lookInto(tessera.database, `select count(*) as "rows" from "${table}"`);
    return Number(row?.['rows']);
  };
  const counts = async () => {
    const tables = [
      'codes',
      'authorizationRequests',
      'accessTokens',
      'refreshTokens',
      'tokenFamilies',
      'sessions',
      'signInAttempts',
      'signInAttemptSteps',
      'limits',
      'appRegistrations',
      'passportEnds',
    ];
    return Object.fromEntries(
      await Promise.all(tables.map(async (table) => [table, await count(table)] as const)),
    );
  };

  test('are deleted under a lease, and what still counts is not', async () => {
    const { refresh_token: refreshToken } = await world.signIn();
    await world.refresh(refreshToken);
    await send(createAuthorizationRequest(tessera.urls.origin, world.app).url);
    await send(`${tessera.urls.api}/login/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://client.example/cb'] }),
    });
    const login = await world.admin.visitor.open(`${tessera.urls.origin}/login?confirm=1`);
    await world.admin.visitor.submit(login, 'login', { email: 'ada@acme.example', password: 'wrong one' });
    await world.call('passport-sessions.end-many', { query: { teamId: world.team.id, all: 'true' } });
    const before = await counts();
    for (const [table, rows] of Object.entries(before)) expect(rows, table).toBeGreaterThan(0);

    // A round goes by once a minute: an hour later nothing that counts is gone.
    tessera.advance(50 * 60_000);
    await delay(2_500);
    const { tokenFamilies, refreshTokens, signInAttempts, appRegistrations } = await counts();
    expect({ tokenFamilies, refreshTokens, signInAttempts, appRegistrations }).toEqual({
      tokenFamilies: before['tokenFamilies'],
      refreshTokens: before['refreshTokens'],
      signInAttempts: before['signInAttempts'],
      appRegistrations: before['appRegistrations'],
    });

    tessera.advance(40 * day);
    await expect.poll(counts, { timeout: 20_000, interval: 500 }).toMatchObject({
      codes: 0,
      authorizationRequests: 0,
      accessTokens: 0,
      refreshTokens: 0,
      sessions: 0,
      limits: 0,
      passportEnds: 0,
    });
    expect(await count('signInAttempts')).toBe(before['signInAttempts']);

    tessera.advance(60 * day);
    await expect
      .poll(counts, { timeout: 20_000, interval: 500 })
      .toMatchObject({ tokenFamilies: 0, signInAttempts: 0, signInAttemptSteps: 0, appRegistrations: 0 });
    // The jobs that never end go on: there is one of each kind, whatever was started.
    const kinds = await lookInto(tessera.database, 'select "kind" from "jobs" order by "kind"');
    expect(kinds.map(({ kind: name }) => name)).toEqual(['keys.keep', 'passport-usage', 'purge']);
    expect((await sendForm(`${tessera.urls.api}/login/oauth/token`, {})).status).toBe(400);
  }, 90_000);
});

test.each(databaseKinds)(
  'a visitor’s session goes a day after its end, by whatever it ended, on %s',
  async (kind) => {
    const tessera = await startTessera(kind);
    const world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    const setting = { connectorId: world.connectorId, deploymentType: 'all' as const };
    const sites = [world.deployment, await world.protect('idle'), await world.protect('live')];
    const [ended = '', idle = '', live = ''] = sites.map(({ projectId }) => projectId);
    const query = { teamId: world.team.id };
    for (const [idOrName, sessionIdleSeconds] of [
      [idle, 300],
      [live, undefined],
    ] as const) {
      await world.call('projects.update', {
        params: { idOrName },
        query,
        body: {
          passport: {
            ...setting,
            sessionLifetimeSeconds: 7 * 86_400,
            ...(sessionIdleSeconds === undefined ? {} : { sessionIdleSeconds }),
          },
        },
      });
    }
    for (const { url } of sites) {
      expect((await passPassport(createVisitor(), `${url}/`)).status).toBe(200);
    }
    await world.call('passport-sessions.end-many', { query: { ...query, projectId: ended } });
    const kept = async () =>
      (await lookInto(tessera.database, 'select "projectId" from "passportSessions"')).map((row) =>
        String(row['projectId']),
      );
    tessera.advance(23 * 3_600_000);
    await delay(2_500);
    expect((await kept()).toSorted()).toEqual([ended, idle, live].toSorted());
    tessera.advance(2 * 3_600_000);
    await expect.poll(kept, { timeout: 20_000, interval: 500 }).toEqual([live]);
    await world.close();
    await tessera.close();
  },
  60_000,
);
