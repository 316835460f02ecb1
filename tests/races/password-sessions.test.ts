import { passwordConnectorId } from '@tessera/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lookInto } from '../harness/look-into.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import type { Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';
import { roundsOf } from './race.ts';

const parallel = 8;
const rounds = roundsOf({ short: 3, long: 60 });
const limitMs = roundsOf({ short: 120_000, long: 3_600_000 });

describe.each(databaseKinds)('passwords that were given, on %s', { timeout: limitMs }, (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let site: string;
  let projectId: string;
  const query = () => ({ teamId: world.team.id });

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    ({ url: site, projectId } = await world.protect('password'));
    await world.call('projects.update', {
      params: { idOrName: projectId },
      query: query(),
      body: { passport: null, passwordProtection: { deploymentType: 'all', password: 'open sesame' } },
    });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  /** A visitor before the form, about to send the right password. */
  async function arrive(): Promise<() => Promise<Answer>> {
    const visitor = createVisitor();
    const form = await visitor.visit(`${site}/`);
    return () => visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
  }
  const isIn = ({ headers }: Answer) =>
    (headers['set-cookie'] ?? []).some((cookie) => /^_vercel_passport=./.test(cookie));
  const end = (filter: { all?: 'true'; projectId?: string; connectorId?: string }) =>
    world.call('passport-sessions.end-many', { query: { ...query(), ...filter } });
  const listed = async () => (await world.call('passport-sessions.list', { query: query() })).sessions;

  /** How many passwords were taken in: one that is being looked at counts in three limits, any other as an attempt. */
  async function countTaken(): Promise<number> {
    const [row] = await lookInto(
      tessera.database,
      `select (select coalesce(sum("tries"), 0) from "limits") as "looked",
        (select count(*) from "signInAttempts") as "done"`,
    );
    return Number(row?.['looked']) / 3 + Number(row?.['done']);
  }

  test.each([
    ['of the team', () => end({ all: 'true' })],
    ['of the project', () => end({ projectId })],
    ['of the password', () => end({ connectorId: passwordConnectorId })],
  ])('before the sessions %s ended let nobody in after that', async (_whose, endThem) => {
    for (let round = 0; round < rounds; round++) {
      const arriving: (() => Promise<Answer>)[] = [];
      for (let each = 0; each < parallel; each++) arriving.push(await arrive());
      const before = await countTaken();
      const answers = Promise.all(arriving.map((enter) => enter()));
      await expect.poll(countTaken, { interval: 2, timeout: 20_000 }).toBeCloseTo(before + parallel);
      await endThem();
      for (const answer of await answers) {
        if (isIn(answer)) continue;
        expect(answer.status, answer.text).toBe(409);
        expect(answer.text).toContain('Enter the password once more');
      }
      expect(await listed()).toEqual([]);
    }
    expect(isIn(await (await arrive())())).toBe(true);
    await end({ all: 'true' });
  });
});
