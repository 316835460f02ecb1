import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader, SignJWT, type JWTPayload } from 'jose';
import { expect, test } from 'vitest';
import { createShiftedClock } from '#clock';
import { createSilentLogger } from '#logger';
import { createSealing } from '#sealing';
import { describeOnBothDatabases, type OpenDatabase } from '../../../../../tests/harness/both-databases.ts';
import { createKeys, keyMigrations, type ExpectedToken, type KeyPolicy } from '../index.ts';
import { keySetMaxAgeSeconds, leastPublishSeconds, longestLifeSeconds } from '../key-policy.ts';
import { openKeyRow } from '../key-material.ts';
import { createKeyStore } from '../key-store.ts';
import type { KeyRecord } from './change.ts';
import { createKeyRotation, mostGlobalKeys } from './rotation.ts';

const hour = 3_600_000;
const day = 24 * hour;
const globalIssuer = 'https://id.example.com/oidc';
const by = { id: 'usr_operator', reference: 'req_1' };

/** Several processes on one database and one clock. */
async function start(openDatabase: OpenDatabase, changes: Partial<KeyPolicy> = {}) {
  const clock = createShiftedClock();
  const database = await openDatabase(keyMigrations, clock);
  const sealing = createSealing(randomBytes(32));
  const policy: KeyPolicy = {
    publishSeconds: 86_400,
    retireSeconds: 86_400,
    rotateSeconds: undefined,
    ...changes,
  };
  const logger = createSilentLogger();
  const records: KeyRecord[] = [];
  const ended: { teamId: string | undefined; from: number; until: number }[] = [];
  const newNode = async () => {
    const keys = createKeys({ database, sealing, clock, logger, policy, globalIssuer });
    await keys.start();
    const rotation = createKeyRotation({
      database,
      sealing,
      clock,
      logger,
      policy,
      refresh: keys.refresh,
      record: (entry) => {
        records.push(entry);
        // A statement that changes nothing: the audit log has tests of its own.
        return database.statement<object>()(() =>
          database
            .queries<{ signingKeyChanges: { id: number } }>()
            .selectFrom('signingKeyChanges')
            .select('id'),
        )({});
      },
      endSessions: (of) => {
        ended.push(of);
        return [];
      },
    });
    return { keys, rotation };
  };
  const node = await newNode();
  await node.keys.published(['workload', 'passport', 'id-token', 'access-token']);
  return { clock, database, sealing, records, ended, newNode, ...node };
}

type Started = Awaited<ReturnType<typeof start>>;

const claims = (clock: Started['clock'], extra: JWTPayload = {}): JWTPayload => {
  const now = Math.floor(clock.now() / 1000);
  return {
    iss: `${globalIssuer}/acme`,
    aud: 'https://api.example.com',
    sub: 'owner:acme',
    owner_id: 'team_acme',
    iat: now,
    exp: now + 3_600,
    ...extra,
  };
};
const expected = (extra: Partial<ExpectedToken> = {}): ExpectedToken => ({
  purpose: 'workload',
  type: 'JWT',
  issuer: [`${globalIssuer}/acme`, globalIssuer],
  audience: 'https://api.example.com',
  ...extra,
});
const sign = ({ keys, clock }: Started, extra: JWTPayload = {}, algorithm: 'RS256' | 'ES256' = 'RS256') =>
  keys.sign({ purpose: 'workload', algorithm, type: 'JWT', claims: claims(clock, extra) });
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const kidsOf = async ({ keys }: Started, teamId?: string) =>
  (await keys.published(['workload'], teamId)).map(({ kid }) => kid);
/** What a thief of a key could sign: our own `sign` chooses the key by the very claims. */
async function forgeWith({ clock, database, sealing }: Started, kid: string, extra: JWTPayload) {
  const { rows } = await createKeyStore(database).readState();
  const row = rows.find((one) => one.kid === kid);
  if (row === undefined) throw new Error(`there is no key ${kid}`);
  const { privateKey, algorithm } = await openKeyRow(sealing, row);
  return new SignJWT(claims(clock, extra))
    .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
    .sign(privateKey);
}
const workload = { purpose: 'workload', algorithm: 'RS256' } as const;

describeOnBothDatabases('the rotation of signing keys', (openDatabase) => {
  test('a key is published for a day, signs, is retired, and goes when its last token has ended', async () => {
    const world = await start(openDatabase);
    const { rotation, clock, keys } = world;
    const before = await sign(world);
    const [next] = await rotation.rotate(workload, by);
    expect(next).toMatchObject({ stage: 'next', algorithm: 'RS256', signsFrom: expect.any(Number) });
    expect(await kidsOf(world)).toContain(next?.kid);
    expect(kidOf(await sign(world))).toBe(kidOf(before));

    clock.advance(day - 60_000);
    const last = await sign(world);
    expect(kidOf(last)).toBe(kidOf(before));
    clock.advance(61_000);
    const first = await sign(world);
    expect(kidOf(first)).toBe(next?.kid);
    expect(await kidsOf(world)).toEqual(expect.arrayContaining([kidOf(before), next?.kid]));
    await expect(keys.verify(last, expected())).resolves.toBeDefined();
    const stages = (await rotation.list()).filter(
      ({ purpose, algorithm }) => purpose === 'workload' && algorithm === 'RS256',
    );
    expect(stages.map(({ kid, stage }) => [kid, stage])).toEqual([
      [kidOf(before), 'retired'],
      [next?.kid, 'active'],
    ]);

    const retired = String(kidOf(before));
    await expect(rotation.remove(retired, by)).rejects.toMatchObject({ code: 'key_needed' });
    clock.advance(longestLifeSeconds.workload * 1000 + day - hour);
    await rotation.work();
    expect(await kidsOf(world)).toContain(retired);
    clock.advance(hour);
    await rotation.work();
    expect(await kidsOf(world)).not.toContain(retired);
    await expect(keys.verify(before, expected({ acceptExpired: true }))).rejects.toMatchObject({
      reason: 'key',
    });
    expect(world.records.map(({ action, actor }) => [action, actor])).toEqual([
      ['signing-key.publish', 'usr_operator'],
      ['signing-key.remove', 'system'],
    ]);
  });

  test('there is one next key at a time, whoever asks in parallel', async () => {
    const world = await start(openDatabase);
    const other = await world.newNode();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? world : other).rotation.rotate(workload, by),
      ),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(refused).toHaveLength(7);
    for (const { reason } of refused) {
      expect((reason as { code: string }).code).toMatch(/^(key_rotation_under_way|changed_meanwhile)$/);
    }
    expect((await world.rotation.list()).filter(({ purpose }) => purpose === 'workload')).toHaveLength(3);
    // Either node may have been the first; the other looks by itself.
    await expect.poll(() => kidsOf(world), { timeout: 5_000 }).toHaveLength(3);
    await expect.poll(() => kidsOf({ ...world, ...other }), { timeout: 5_000 }).toHaveLength(3);
  });

  test('the schedule rotates every line in time, once, and leaves all to the operator when it is off', async () => {
    const byHand = await start(openDatabase);
    byHand.clock.advance(400 * day);
    await byHand.rotation.work();
    expect(byHand.records).toEqual([]);

    const world = await start(openDatabase, { rotateSeconds: 90 * 86_400 });
    const { rotation, clock } = world;
    const first = kidOf(await sign(world));
    clock.advance(88 * day);
    await rotation.work();
    expect(world.records).toEqual([]);
    clock.advance(day + hour);
    await Promise.all([rotation.work(), (await world.newNode()).rotation.work()]);
    await rotation.work();
    expect((await rotation.list()).filter(({ stage }) => stage === 'next')).toHaveLength(5);
    expect(kidOf(await sign(world))).toBe(first);
    clock.advance(day);
    expect(kidOf(await sign(world))).not.toBe(first);
    clock.advance(40 * day);
    await rotation.work();
    expect((await rotation.list()).filter(({ stage }) => stage === 'active')).toHaveLength(5);
    expect((await rotation.list()).filter(({ stage }) => stage === 'removed')).toHaveLength(5);
  });

  test('another node signs and verifies with the next key without being told', async () => {
    const world = await start(openDatabase);
    const other = await world.newNode();
    await world.rotation.rotate(workload, by);
    world.clock.advance(day + 1_000);
    const token = await sign(world);
    await expect(other.keys.verify(token, expected())).resolves.toMatchObject({ sub: 'owner:acme' });
    expect(await other.keys.published(['workload'])).toEqual(await world.keys.published(['workload']));
  });

  test('no token is signed that would outlive the key', async () => {
    const world = await start(openDatabase);
    const tooLong = Math.floor(world.clock.now() / 1000) + longestLifeSeconds.workload + 3_600;
    await expect(sign(world, { exp: tooLong })).rejects.toThrow(/lives 43200 seconds at most/);
  });

  test('a shorter publication than caches live is refused', async () => {
    expect(leastPublishSeconds).toBeGreaterThan(keySetMaxAgeSeconds);
    await expect(start(openDatabase, { publishSeconds: leastPublishSeconds - 1 })).rejects.toThrow(
      /published for 900 seconds/,
    );
  });
});

describeOnBothDatabases('a revoked signing key', (openDatabase) => {
  test('is gone from every set at once, nothing it signed counts, and another signs', async () => {
    const world = await start(openDatabase);
    const { rotation, keys, clock } = world;
    const other = await world.newNode();
    const token = await sign(world);
    await expect(other.keys.verify(token, expected())).resolves.toBeDefined();
    const epochs = [keys.epoch(), other.keys.epoch()];

    const kid = String(kidOf(token));
    const revocation = await rotation.revoke({ kid }, by);
    expect(revocation.revoked).toMatchObject([{ kid, stage: 'revoked' }]);
    expect(revocation.cachedUntil).toBeGreaterThan(clock.now() + keySetMaxAgeSeconds * 1000 - 5_000);
    expect(await kidsOf(world)).not.toContain(kid);
    await expect(keys.verify(token, expected())).rejects.toMatchObject({ reason: 'key' });
    const replaced = await sign(world);
    expect(kidOf(replaced)).toBe(revocation.replacements[0]?.kid);
    await expect(keys.verify(replaced, expected())).resolves.toBeDefined();

    // The other node is told nothing: it looks by itself.
    await expect
      .poll(() => other.keys.verify(token, expected()).catch((error: { reason?: string }) => error.reason), {
        timeout: 5_000,
      })
      .toBe('key');
    await expect(other.keys.verify(replaced, expected())).resolves.toBeDefined();
    expect([keys.epoch(), other.keys.epoch()]).toEqual(epochs.map((epoch) => epoch + 1));
    expect(keys.isInForce(kid, 'workload')).toBe(false);
    expect(world.records.map(({ action }) => action)).toEqual(['signing-key.revoke', 'signing-key.activate']);
    await expect(rotation.revoke({ kid }, by)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a node that was asleep asks before it verifies or signs', async () => {
    const world = await start(openDatabase);
    const asleep = await world.newNode();
    await asleep.keys.stop();
    const token = await sign(world);
    await world.rotation.revoke({ kid: String(kidOf(token)) }, by);
    world.clock.advance(5_000);
    await expect(asleep.keys.verify(token, expected())).rejects.toMatchObject({ reason: 'key' });
  });

  test('is followed by the next key where that is published already', async () => {
    const world = await start(openDatabase);
    const active = String(kidOf(await sign(world)));
    const [next] = await world.rotation.rotate(workload, by);
    const { replacements } = await world.rotation.revoke({ kid: active }, by);
    expect(replacements.map(({ kid }) => kid)).toEqual([next?.kid]);
    expect(kidOf(await sign(world))).toBe(next?.kid);
  });

  test('its private half is deleted, and the row stays', async () => {
    const world = await start(openDatabase);
    const kid = String(kidOf(await sign(world)));
    await world.rotation.revoke({ kid }, by);
    const rows = await world.database.list<{ kid: string; sealedPrivateJwk: string }>(
      world.database.statement<object>()<{ kid: string; sealedPrivateJwk: string }>(() =>
        world.database
          .queries<{ signingKeys: { kid: string; sealedPrivateJwk: string } }>()
          .selectFrom('signingKeys')
          .select(['kid', 'sealedPrivateJwk']),
      )({}),
    );
    expect(rows.find((row) => row.kid === kid)?.sealedPrivateJwk).toBe('');
    expect(rows.filter((row) => row.sealedPrivateJwk === '')).toHaveLength(1);
    expect((await world.rotation.list()).find((key) => key.kid === kid)?.stage).toBe('revoked');
  });

  test('all of a purpose at once: none is left, and both algorithms go on', async () => {
    const world = await start(openDatabase);
    await world.rotation.rotate(workload, by);
    const before = await kidsOf(world);
    expect(before).toHaveLength(3);
    const { revoked, replacements } = await world.rotation.revoke({ purpose: 'workload' }, by);
    expect(revoked.map(({ kid }) => kid).toSorted()).toEqual(before.toSorted());
    expect(replacements).toHaveLength(2);
    expect(await kidsOf(world)).toHaveLength(2);
    for (const algorithm of ['RS256', 'ES256'] as const) {
      await expect(world.keys.verify(await sign(world, {}, algorithm), expected())).resolves.toBeDefined();
    }
    // Generations go on, so the next rotation does not meet the revoked ones.
    await expect(world.rotation.rotate({ purpose: 'workload' }, by)).resolves.toHaveLength(2);
  });

  test('a key of Passport takes the sessions with it that began while it signed', async () => {
    const world = await start(openDatabase);
    const began = world.clock.now();
    world.clock.advance(hour);
    const [key] = await world.keys.published(['passport']);
    await world.rotation.revoke({ kid: String(key?.kid) }, by);
    expect(world.ended).toHaveLength(1);
    const [of] = world.ended;
    expect(of?.teamId).toBeUndefined();
    expect(of?.from).toBeLessThanOrEqual(began);
    expect(of?.until).toBeGreaterThanOrEqual(world.clock.now());
    await world.rotation.revoke({ purpose: 'workload' }, by);
    expect(world.ended).toHaveLength(1);
  });
});

describeOnBothDatabases('a team’s own signing keys', (openDatabase) => {
  const give = ({ rotation }: Started, inGlobalKeySet = false) =>
    rotation.giveTeamKeys('team_acme', { purpose: 'workload', inGlobalKeySet }, by);

  test('are published before they sign, and then no shared key verifies for the team', async () => {
    const world = await start(openDatabase);
    const { keys, clock } = world;
    const shared = await kidsOf(world);
    await give(world);
    const own = (await kidsOf(world, 'team_acme')).filter((kid) => !shared.includes(kid));
    expect(own).toHaveLength(2);
    expect(await kidsOf(world, 'team_acme')).toEqual(expect.arrayContaining(shared));
    expect(await kidsOf(world)).toEqual(shared);
    expect(await kidsOf(world, 'team_other')).toEqual(shared);
    const last = await sign(world);
    expect(shared).toContain(kidOf(last));

    clock.advance(day + 1_000);
    for (const algorithm of ['RS256', 'ES256'] as const) {
      const token = await sign(world, {}, algorithm);
      expect(own).toContain(kidOf(token));
      expect(decodeProtectedHeader(token).alg).toBe(algorithm);
      await expect(keys.verify(token, expected())).resolves.toBeDefined();
    }
    const foreign = await sign(world, { owner_id: 'team_other', iss: `${globalIssuer}/other` });
    expect(shared).toContain(kidOf(foreign));
    await expect(keys.verify(last, expected({ acceptExpired: true }))).resolves.toBeDefined();

    clock.advance(longestLifeSeconds.workload * 1000 + day);
    expect((await kidsOf(world, 'team_acme')).toSorted()).toEqual(own.toSorted());
    await expect(keys.verify(last, expected({ acceptExpired: true }))).rejects.toMatchObject({
      reason: 'key',
    });
  });

  test('a key of one team verifies nothing of another, whatever the claims say (federation-09)', async () => {
    const world = await start(openDatabase);
    await give(world);
    world.clock.advance(day + 1_000);
    const genuine = await sign(world);
    await expect(world.keys.verify(genuine, expected())).resolves.toBeDefined();
    const forged = await forgeWith(world, String(kidOf(genuine)), {
      owner_id: 'team_other',
      iss: `${globalIssuer}/other`,
    });
    for (const token of [
      forged,
      await forgeWith(world, String(kidOf(genuine)), { owner_id: undefined, iss: globalIssuer }),
      await forgeWith(world, String(kidOf(genuine)), { owner_id: undefined }),
    ]) {
      await expect(
        world.keys.verify(
          token,
          expected({ issuer: [`${globalIssuer}/other`, `${globalIssuer}/acme`, globalIssuer] }),
        ),
      ).rejects.toMatchObject({ reason: 'key' });
    }
    await expect(
      world.keys.verify(await forgeWith(world, String(kidOf(genuine)), {}), expected()),
    ).resolves.toBeDefined();
  });

  test('what the issuer for all issues is signed by a key of its key set', async () => {
    const world = await start(openDatabase);
    const shared = await kidsOf(world);
    await give(world);
    world.clock.advance(day + 1_000);
    expect(shared).toContain(kidOf(await sign(world, { iss: globalIssuer })));
    await give(world, true);
    expect(await kidsOf(world)).toHaveLength(4);
    expect(shared).toContain(kidOf(await sign(world, { iss: globalIssuer })));
    world.clock.advance(day + 1_000);
    const own = await sign(world, { iss: globalIssuer });
    expect(shared).not.toContain(kidOf(own));
    await expect(world.keys.verify(own, expected())).resolves.toBeDefined();
    await give(world, false);
    expect(await kidsOf(world)).toHaveLength(4);
    expect(shared).toContain(kidOf(await sign(world, { iss: globalIssuer })));
    world.clock.advance(longestLifeSeconds.workload * 1000 + day + 1_000);
    expect(await kidsOf(world)).toEqual(shared);
  });

  test('rotate and are revoked like others, for their team alone', async () => {
    const world = await start(openDatabase);
    await give(world);
    world.clock.advance(day + 1_000);
    const choice = { ...workload, teamId: 'team_acme' };
    const before = kidOf(await sign(world));
    const [next] = await world.rotation.rotate(choice, by);
    expect(next).toMatchObject({ teamId: 'team_acme', stage: 'next' });
    const { revoked } = await world.rotation.revoke(choice, by);
    expect(revoked.map(({ teamId }) => teamId)).toEqual(['team_acme', 'team_acme']);
    const token = await sign(world);
    expect([before, next?.kid]).not.toContain(kidOf(token));
    await expect(world.keys.verify(token, expected())).resolves.toBeDefined();
    expect(world.records.every(({ teamId }) => teamId === 'team_acme')).toBe(true);
    await expect(world.rotation.rotate({ ...workload, teamId: 'team_none' }, by)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('revoked before they ever signed, they are made anew and sign when all are published', async () => {
    const world = await start(openDatabase);
    const shared = await kidsOf(world);
    await give(world);
    world.clock.advance(day / 2);
    await world.rotation.revoke({ purpose: 'workload', teamId: 'team_acme' }, by);
    world.clock.advance(day / 2 + 1_000);
    expect(shared).toContain(kidOf(await sign(world)));
    world.clock.advance(day / 2);
    for (const algorithm of ['RS256', 'ES256'] as const) {
      const token = await sign(world, {}, algorithm);
      expect(shared).not.toContain(kidOf(token));
      await expect(world.keys.verify(token, expected())).resolves.toBeDefined();
    }
  });

  test('are given back in stages, and a later gift begins anew', async () => {
    const world = await start(openDatabase);
    const { rotation, clock, keys } = world;
    const shared = await kidsOf(world);
    await give(world);
    clock.advance(10 * day);
    const own = await sign(world);
    expect((await kidsOf(world, 'team_acme')).some((kid) => shared.includes(kid))).toBe(false);
    await rotation.endTeamKeys('team_acme', 'workload', by);
    expect(await kidsOf(world, 'team_acme')).toEqual(expect.arrayContaining(shared));
    expect(kidOf(await sign(world))).toBe(kidOf(own));
    await expect(give(world)).rejects.toMatchObject({ code: 'key_rotation_under_way' });
    await expect(rotation.rotate({ ...workload, teamId: 'team_acme' }, by)).rejects.toMatchObject({
      code: 'key_rotation_under_way',
    });
    clock.advance(day + 1_000);
    expect(shared).toContain(kidOf(await sign(world)));
    await expect(keys.verify(own, expected({ acceptExpired: true }))).resolves.toBeDefined();
    clock.advance(longestLifeSeconds.workload * 1000 + day);
    await rotation.work();
    expect(await kidsOf(world, 'team_acme')).toEqual(shared);
    await expect(keys.verify(own, expected({ acceptExpired: true }))).rejects.toMatchObject({
      reason: 'key',
    });
    await give(world);
    expect(await kidsOf(world, 'team_acme')).toHaveLength(4);
    await expect(rotation.endTeamKeys('team_none', 'workload', by)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('the key set for all never has more than every verifier reads', async () => {
    const world = await start(openDatabase);
    let given = 0;
    const refusals: string[] = [];
    for (let team = 0; team < 50 && refusals.length === 0; team++) {
      const wish = { purpose: 'workload', inGlobalKeySet: true } as const;
      await world.rotation.giveTeamKeys(`team_${team}`, wish, by).then(
        () => given++,
        (error: { code: string }) => refusals.push(error.code),
      );
    }
    expect(refusals).toEqual(['key_set_full']);
    const published = await world.keys.published(['workload', 'passport']);
    expect(published.length).toBeLessThanOrEqual(mostGlobalKeys);
    expect(published.length).toBeGreaterThan(mostGlobalKeys - 2);
    world.clock.advance(day + 1_000);
    await expect(world.rotation.rotate({ purpose: 'workload', teamId: 'team_0' }, by)).rejects.toMatchObject({
      code: 'key_set_full',
    });
    expect(given).toBe(43);
  }, 120_000);
});
