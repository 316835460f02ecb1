import { closeSync, fdatasync, openSync } from 'node:fs';
import { DatabaseUnavailable } from '#errors';

/** Puts what was written to a file before the call on the disk, and says how that ended. */
export type SyncToDisk = (done: (error: Error | null) => void) => void;

/** The write-ahead log of an open SQLite file, and whether what is in it is on the disk. */
export type WriteAheadLog = {
  /**
   * Resolves when all that was written before the call is on the disk, in the order of the calls. One sync is under way
   * at a time; the next one is for all who called meanwhile. Throws `DatabaseUnavailable`, then for ever.
   */
  sync(): Promise<void>;
  /** Whether nobody waits for a sync. */
  isSynced(): boolean;
  /** False after a sync that failed. */
  isSound(): boolean;
  /** Throws `DatabaseUnavailable` after a sync that failed. */
  requireSound(): void;
  /** To be called before the connection is closed, which deletes the file. */
  close(): void;
};

export type OpenWriteAheadLog = (databasePath: string) => WriteAheadLog;

/**
 * Opens the log that SQLite keeps beside `databasePath`. A connection must be open: SQLite deletes or replaces the
 * file only when the last one is closed, and holds its locks on the other two files, so that closing this descriptor
 * drops none of them.
 */
export const openWriteAheadLog: OpenWriteAheadLog = (databasePath) => {
  // For writing, since Windows flushes no file that was opened for reading.
  const descriptor = openSync(`${databasePath}-wal`, 'r+');
  return createWriteAheadLog(
    (done) => fdatasync(descriptor, done),
    () => closeSync(descriptor),
  );
};

/**
 * A sync that failed is never tried again: the kernel may have dropped the pages that it could not write, and a later
 * success would say nothing about them. Nor is anything read, for the same reason. A start of the process reads the
 * log from the disk and keeps what its checksums prove.
 */
export function createWriteAheadLog(syncToDisk: SyncToDisk, close: () => void): WriteAheadLog {
  let failure: DatabaseUnavailable | undefined;
  const requireSound = (): void => {
    if (failure !== undefined) throw failure;
  };
  type Waiting = { resolve: () => void; reject: (error: DatabaseUnavailable) => void };
  let waiting: Waiting[] = [];
  let isUnderWay = false;

  function syncForAll(): void {
    const served = waiting;
    waiting = [];
    isUnderWay = true;
    syncToDisk((error) => {
      isUnderWay = false;
      if (error === null) {
        // The disk goes on before the answers do.
        if (waiting.length > 0) syncForAll();
        for (const { resolve } of served) resolve();
        return;
      }
      failure = new DatabaseUnavailable(
        'SQLite’s log could not be put on the disk: start Tessera again once the disk is sound',
        { cause: error },
      );
      // What was written after it is worth no more: on the disk, the log ends where the gap is.
      for (const { reject } of [...served, ...waiting]) reject(failure);
      waiting = [];
    });
  }

  return {
    sync: () =>
      new Promise((resolve, reject) => {
        requireSound();
        waiting.push({ resolve, reject });
        if (!isUnderWay) syncForAll();
      }),
    isSynced: () => !isUnderWay,
    isSound: () => failure === undefined,
    requireSound,
    close,
  };
}
