import { closeSync, fdatasync, openSync } from 'node:fs';
import { DatabaseUnavailable } from '#errors';

/** Puts what was written to a file before the call on the disk, and says how that ended. */
export type SyncToDisk = (done: (error: Error | null) => void) => void;

/** The write-ahead log of an open SQLite file, and whether what is in it is on the disk. */
export type WriteAheadLog = {
  /** Resolves when all that was written before the call is on the disk. Throws `DatabaseUnavailable`, then for ever. */
  sync(): Promise<void>;
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
  return {
    sync: () =>
      new Promise((resolve, reject) => {
        requireSound();
        syncToDisk((error) => {
          if (error === null) return resolve();
          failure = new DatabaseUnavailable(
            'SQLite’s log could not be put on the disk: start Tessera again once the disk is sound',
            { cause: error },
          );
          reject(failure);
        });
      }),
    isSound: () => failure === undefined,
    requireSound,
    close,
  };
}
