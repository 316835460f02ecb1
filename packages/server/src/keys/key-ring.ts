import type { Clock } from '#clock';
import { DatabaseUnavailable } from '#errors';
import type { Logger } from '#logger';
import type { Sealing } from '#sealing';
import type { HeldKey } from './key.ts';
import { openKeyRow } from './key-material.ts';
import { teamKeysId, type KeySnapshot } from './key-set.ts';
import type { KeyStore } from './key-store.ts';

/** How often a process looks whether another has changed a key: one number of one row. */
const lookEveryMilliseconds = 1_000;
// Nothing is signed or verified with a copy that is older: a revoked key counts nowhere for longer than this.
const trustedMilliseconds = 4_000;
// While the database is down, nobody waits longer than this for a key set that is in memory anyway.
const patienceMilliseconds = 300;
// An unknown `kid` may be a key that another node has just made; more often it is noise, so it may not ask often.
const unknownKeyPauseMilliseconds = 1_000;

export type KeyRing = ReturnType<typeof createKeyRing>;

/** The keys in memory: the last good copy of the table, kept fresh by looking for changes. */
export function createKeyRing(needs: { store: KeyStore; sealing: Sealing; clock: Clock; logger: Logger }) {
  const { store, sealing, clock, logger } = needs;
  let held: KeySnapshot = { keys: new Map(), teams: new Map() };
  let number = 0;
  let epoch = 0;
  let triedAt = Number.NEGATIVE_INFINITY;
  let readAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    const began = clock.now();
    triedAt = began;
    if (number === 0 || (await store.readNumber()) !== number) await load();
    readAt = began;
  }

  async function load(): Promise<void> {
    const state = await store.readState();
    const opened = await Promise.all(
      state.rows.map(async (row) => {
        const known = held.keys.get(row.kid);
        if (known === undefined) return openKeyRow(sealing, row);
        return known.activeFrom === row.activeFrom ? known : { ...known, activeFrom: row.activeFrom };
      }),
    );
    const keys = new Map(opened.map((key) => [key.kid, key]));
    if ([...held.keys.keys()].some((kid) => !keys.has(kid))) epoch++;
    held = { keys, teams: new Map(state.teams.map((own) => [teamKeysId(own.teamId, own.purpose), own])) };
    number = state.number;
  }

  /** Looks for changes. One look at a time, whoever asks. */
  async function refresh(): Promise<void> {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    await looking;
  }

  const isOlderThan = (milliseconds: number) => clock.now() - readAt > milliseconds;

  return {
    refresh,

    /** Looks again in a look that began after this call: one under way may have missed what was just written. */
    async refreshAfterWrite(): Promise<void> {
      await looking?.catch(() => undefined);
      await refresh();
    },

    /** Looks for changes from now on, whether anybody asks or not. */
    watch(): void {
      timer ??= setInterval(() => {
        refresh().catch((error: unknown) => logger.warn('keys.refresh_failed', { error }));
      }, lookEveryMilliseconds);
      timer.unref();
    },

    async stop(): Promise<void> {
      clearInterval(timer);
      await looking?.catch(() => undefined);
    },

    /** Throws `DatabaseUnavailable` when nobody can say whether the keys are still in force. */
    async requireTrusted(): Promise<void> {
      if (isOlderThan(trustedMilliseconds)) await refresh();
    },

    /** Looks again first, but is content with the last good copy when the database is silent. */
    async refreshOrKeep(): Promise<void> {
      if (!isOlderThan(trustedMilliseconds)) return;
      if (number === 0) {
        await refresh();
        return;
      }
      const patience = new AbortController();
      await Promise.race([
        refresh().catch((error: unknown) => {
          if (!(error instanceof DatabaseUnavailable)) throw error;
          logger.warn('keys.refresh_failed', { error });
        }),
        delay(patienceMilliseconds, patience.signal),
      ]).finally(() => {
        patience.abort();
      });
    },

    /** Looks for changes when the key is not known: another node may have made it. At most once a second. */
    async findOrRefresh(kid: string): Promise<HeldKey | undefined> {
      if (!held.keys.has(kid) && clock.now() - triedAt > unknownKeyPauseMilliseconds) await refresh();
      return held.keys.get(kid);
    },

    snapshot: (): KeySnapshot => held,
    /** Grows whenever a key that was in force is not any more. */
    epoch: (): number => epoch,
  };
}

async function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
