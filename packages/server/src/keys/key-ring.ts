import type { Clock } from '#clock';
import { DatabaseUnavailable } from '#errors';
import type { Logger } from '#logger';
import type { Sealing } from '#sealing';
import { findSigningKey, type HeldKey, type KeyAlgorithm, type KeyPurpose } from './key.ts';
import { openKeyRow } from './key-material.ts';
import type { KeyStore } from './key-store.ts';

// A change made by another node (a new key, one taken away) is seen within this time.
const freshForMilliseconds = 3_000;
// While the database is down, nobody waits longer than this for a key set that is in memory anyway.
const patienceMilliseconds = 300;
// An unknown `kid` may be a key that another node has just made; more often it is noise, so it may not ask often.
const unknownKeyPauseMilliseconds = 1_000;

export type KeyRing = ReturnType<typeof createKeyRing>;

/** The keys in memory: the last good copy of the table, refreshed when somebody uses it. */
export function createKeyRing(needs: { store: KeyStore; sealing: Sealing; clock: Clock; logger: Logger }) {
  const { store, sealing, clock, logger } = needs;
  let held: ReadonlyMap<string, HeldKey> = new Map();
  let triedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;

  async function load(): Promise<void> {
    triedAt = clock.now();
    const rows = await store.listInUse();
    const opened = await Promise.all(rows.map(async (row) => held.get(row.kid) ?? openKeyRow(sealing, row)));
    held = new Map(opened.map((key) => [key.kid, key]));
  }

  /** Reads the table. One read at a time, whoever asks. */
  async function refresh(): Promise<void> {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    await loading;
  }

  /** Reads the table in a read that began after this call: one under way may have missed what was just written. */
  async function refreshAfterWrite(): Promise<void> {
    await loading?.catch(() => undefined);
    await refresh();
  }

  function isStale(): boolean {
    return clock.now() - triedAt > freshForMilliseconds;
  }

  /** Looks again without making anybody wait; a failure leaves the last good copy. */
  function refreshBehind(): void {
    if (!isStale()) return;
    refresh().catch((error: unknown) => {
      logger.warn('keys.refresh_failed', { error });
    });
  }

  return {
    refresh,
    refreshAfterWrite,
    refreshBehind,

    /** Looks again first, but is content with the last good copy when the database is silent. */
    async refreshOrKeep(): Promise<void> {
      if (!isStale()) return;
      if (held.size === 0) {
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

    find: (kid: string): HeldKey | undefined => held.get(kid),

    /** Like `find`, but looks into the table for a key that another node may have made. */
    async findOrRefresh(kid: string): Promise<HeldKey | undefined> {
      if (!held.has(kid) && clock.now() - triedAt > unknownKeyPauseMilliseconds) await refresh();
      return held.get(kid);
    },

    findSigning: (purpose: KeyPurpose, algorithm: KeyAlgorithm) =>
      findSigningKey(held.values(), purpose, algorithm, clock.now()),

    list: (): readonly HeldKey[] => [...held.values()],
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
