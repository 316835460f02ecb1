import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFederationWorld, type FederationWorld } from '../federation/federation-world.ts';
import { createClient } from '../../packages/contract/src/index.ts';
import { createApiToken } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import type { DatabaseKind } from '../harness/test-databases.ts';
import { startSecondNode, type BalancedNodes } from './balanced-nodes.ts';
import {
  createAnxiousVerifier,
  createCachedVerifier,
  createHoardingVerifier,
  createJoseVerifier,
  kidOf,
  type Verifier,
} from './verifiers.ts';

// The time of the whole process is moved, so that the caches of the verifiers age with the keys: real libraries with
// their own figures, and the shortest publication that the configuration allows.
const publishSeconds = 900;
const retireSeconds = 3_600;
const minute = 60_000;
const isLong = process.env['TESSERA_TEST_LONG'] === '1';
// Of these, each by so many steps with a pause: the rate is what the machine gives, and is printed.
const pauseMilliseconds = isLong ? 150 : 12;
type Setup = { kind: DatabaseKind; nodes: 1 | 2; rotations: number };
const setups: readonly Setup[] = isLong
  ? [
      { kind: 'sqlite', nodes: 1, rotations: 20 },
      { kind: 'postgres', nodes: 1, rotations: 20 },
      { kind: 'postgres', nodes: 2, rotations: 20 },
    ]
  : [
      { kind: 'sqlite', nodes: 1, rotations: 20 },
      { kind: 'postgres', nodes: 2, rotations: 5 },
    ];
const variables = {
  TESSERA_KEY_PUBLISH_SECONDS: String(publishSeconds),
  TESSERA_KEY_RETIRE_SECONDS: String(retireSeconds),
  TESSERA_KEY_ROTATION_DAYS: 'off',
};

describe.each(setups)('the drill of rotation on $kind with $nodes node(s)', ({ kind, nodes, rotations }) => {
  let world: FederationWorld;
  let second: BalancedNodes | undefined;
  let adminToken: string;
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    world = await createFederationWorld(kind, { variables });
    second = nodes === 2 ? await startSecondNode(world.tessera) : undefined;
    adminToken = await createApiToken(world.tessera.urls.origin, world.admin, { name: 'drill' });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await second?.close();
    second = undefined;
    await world?.tessera.close();
  });

  const advance = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);
  const baseOf = () => second?.url ?? world.tessera.urls.origin;
  const keySetOf = () => `${baseOf()}/oidc/acme/.well-known/jwks`;
  const createVerifiers = (): Verifier[] => {
    const expectation = { issuer: `${world.tessera.urls.oidc}/acme`, keySet: keySetOf() };
    return [
      createJoseVerifier(expectation),
      createHoardingVerifier(expectation),
      createAnxiousVerifier(expectation),
      createCachedVerifier(expectation, () => Date.now()),
    ];
  };
  const mint = async (): Promise<string> => {
    const answer = await send(`${baseOf()}/api/v1/projects/shop/token?teamId=${world.team.id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.builderToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ environment: 'production' }),
    });
    if (answer.status !== 200) throw new Error(`no token, but ${answer.status}: ${answer.text}`);
    return (answer.json() as { token: string }).token;
  };
  const rotate = () =>
    createClient({ baseUrl: `${baseOf()}/api`, token: adminToken })('signing-keys.rotate', {
      body: { purpose: 'workload', algorithm: 'RS256' },
    });

  test(
    `${rotations} rotations, and no token that is good is refused anywhere`,
    { timeout: 600_000 },
    async () => {
      const verifiers = createVerifiers();
      const signers = new Set<string>();
      const failures: string[] = [];
      let tokens: { token: string; expiresAt: number }[] = [];
      let count = 0;
      let over = false;

      async function check(verifier: Verifier, token: string, at: Date): Promise<void> {
        count++;
        try {
          await verifier.verify(token, at);
        } catch (error) {
          failures.push(`${verifier.name}, ${kidOf(token)}: ${String(error)}`);
        }
      }
      /** One token a turn: fresh ones and any that is still good, whoever signed it. */
      async function load(): Promise<void> {
        while (!over) {
          const token = await mint();
          signers.add(kidOf(token));
          tokens.push({ token, expiresAt: (decodeJwt(token).exp ?? 0) * 1000 });
          tokens = tokens.filter(({ expiresAt }) => expiresAt > Date.now() + 2 * minute).slice(-400);
          const old = tokens[Math.floor(Math.random() * tokens.length)]?.token;
          if (old === undefined) continue;
          // The moment of the call: while it lasts, the time here goes on by minutes.
          const at = new Date();
          await Promise.all(
            verifiers.flatMap((verifier) => [
              check(verifier, tokens.at(-1)?.token ?? old, at),
              check(verifier, old, at),
            ]),
          );
        }
      }

      signers.add(kidOf(await mint()));
      const began = performance.now();
      const loads = Promise.all([load(), load()]);
      loads.catch(() => undefined);
      for (let rotation = 0; rotation < rotations; rotation++) {
        const before = signers.size;
        const [key] = (await rotate()).keys;
        expect(key?.stage).toBe('next');
        // Up to the switch and past it in steps that are short beside every cache.
        for (let gone = 0; gone < publishSeconds + 120; gone += 30) {
          advance(30_000);
          await delay(pauseMilliseconds);
        }
        await expect.poll(() => signers.size, { timeout: 10_000, interval: 20 }).toBe(before + 1);
        expect([...signers].at(-1)).toBe(key?.kid);
        // Hours pass: what was retired goes, when nothing that it signed is good any more.
        if (rotation % 4 === 3) {
          for (let step = 0; step < 20; step++) {
            advance(10 * minute);
            await delay(pauseMilliseconds);
          }
        }
      }
      over = true;
      await loads;
      const seconds = (performance.now() - began) / 1000;
      console.log(
        `${rotations} rotations on ${kind} with ${nodes} node(s): ${count} verifications, ${Math.round(count / seconds)} a second, ${failures.length} failed; key set read ${verifiers.map((verifier) => verifier.reads()).join(', ')} times`,
      );
      expect(failures).toEqual([]);
      expect(signers.size).toBe(rotations + 1);
      // Each verification beside a mint; both nodes are this one process, on whatever machine runs the tests.
      expect(count / seconds).toBeGreaterThan(nodes === 2 ? 20 : isLong ? 100 : 50);
      // Where there are two, both answered.
      expect(Math.min(...(second?.counts ?? [count]))).toBeGreaterThan(count / 20);

      // The last token of a key that has gone, judged at the time when it was good: nobody who reads the set knows it.
      const last = await mint();
      const at = new Date();
      await rotate();
      advance((publishSeconds + 60) * 1000);
      await mint();
      const [, hoarding, anxious] = verifiers as [Verifier, Verifier, Verifier, Verifier];
      advance((12 * 3_600 + retireSeconds) * 1000 - 5 * minute);
      await delay(1_500);
      await expect(anxious.verify(last, at)).resolves.toBeUndefined();
      // The schedule removes it: nothing that it signed is good any more.
      advance(6 * minute);
      // PostgreSQL judges by its own clock when a job is due, which only an instance's offset moves.
      if (kind === 'postgres') world.tessera.advance(61_000);
      await expect
        .poll(() => anxious.verify(last, at).catch((error: Error) => error.message), {
          timeout: 10_000,
          interval: 200,
        })
        .toMatch(/no applicable key/);
      // Removal is not revocation: whoever keeps keys for ever keeps this one.
      await expect(hoarding.verify(last, at)).resolves.toBeUndefined();
    },
  );

  test.runIf(nodes === 2)('a revoked key signs at no node after five seconds', async () => {
    const before = await mint();
    const keys = async () =>
      ((await send(keySetOf())).json() as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    await world.call('signing-keys.revoke', { params: { kid: kidOf(before) } });
    const began = performance.now();
    let right = 0;
    // In a row, by both nodes in turn.
    while (right < 6) {
      const isGone = kidOf(await mint()) !== kidOf(before) && !(await keys()).includes(kidOf(before));
      right = isGone ? right + 1 : 0;
      expect(performance.now() - began).toBeLessThan(5_000);
    }
    expect(await world.introspect(before)).toEqual({ active: false });
  });

  test.runIf(nodes === 1)(
    'the same without the wait fails, so the drill can (federation-10)',
    { timeout: 60_000 },
    async () => {
      const [jose, hoarding, anxious, cached] = createVerifiers() as [Verifier, Verifier, Verifier, Verifier];
      const before = await mint();
      const at = () => new Date();
      for (const verifier of [jose, hoarding, anxious, cached]) await verifier.verify(before, at());
      // An emergency: the new key signs at once, and the old one is gone.
      const { outside } = await world.call('signing-keys.revoke', { params: { kid: kidOf(before) } });
      expect(outside.note).toContain('Restart such verifiers');
      const after = await mint();
      await expect(jose.verify(after, at())).rejects.toThrow(/no applicable key/);
      await expect(cached.verify(after, at())).rejects.toThrow(/no applicable key/);
      await expect(anxious.verify(after, at())).resolves.toBeUndefined();
      await expect(anxious.verify(before, at())).rejects.toThrow(/no applicable key/);
      // What the answer says of them: accepted until their copy is too old, or for ever.
      await expect(cached.verify(before, at())).resolves.toBeUndefined();
      await expect(hoarding.verify(after, at())).resolves.toBeUndefined();
      await expect(hoarding.verify(before, at())).resolves.toBeUndefined();
      vi.setSystemTime(outside.cachedUntil + 1);
      await expect(cached.verify(before, at())).rejects.toThrow(/no applicable key/);
      await expect(jose.verify(before, at())).rejects.toThrow(/no applicable key/);
      for (const verifier of [jose, cached]) {
        await expect(verifier.verify(after, at())).resolves.toBeUndefined();
      }
    },
  );
});
