import type { Database } from '#database';

/** A row of `signingKeys`. Times in milliseconds since the epoch; `retiredAt` set: neither signs nor is published. */
export type KeyRow = {
  kid: string;
  purpose: string;
  algorithm: string;
  generation: number;
  publicJwk: string;
  sealedPrivateJwk: string;
  createdAt: number;
  activeFrom: number;
  retiredAt: number | null;
};

type KeyTables = { signingKeys: KeyRow };

export type KeyStore = ReturnType<typeof createKeyStore>;

export function createKeyStore(database: Database) {
  const query = database.queries<KeyTables>();

  const listInUse = database.statement<Record<never, never>>()(() =>
    query.selectFrom('signingKeys').selectAll().where('retiredAt', 'is', null),
  );

  // A process that comes second leaves the first one's key as it is, and reads it afterwards.
  const insertUnlessTaken = database.statement<KeyRow>()((value) =>
    query
      .insertInto('signingKeys')
      .values({
        kid: value('kid'),
        purpose: value('purpose'),
        algorithm: value('algorithm'),
        generation: value('generation'),
        publicJwk: value('publicJwk'),
        sealedPrivateJwk: value('sealedPrivateJwk'),
        createdAt: value('createdAt'),
        activeFrom: value('activeFrom'),
        retiredAt: value('retiredAt'),
      })
      .onConflict((conflict) => conflict.columns(['purpose', 'algorithm', 'generation']).doNothing()),
  );

  return {
    /** All keys that are not retired. */
    listInUse: () => database.list(listInUse({})),
    /** All rows in one unit. */
    async insertUnlessTaken(rows: readonly KeyRow[]) {
      await database.write(rows.map((row) => insertUnlessTaken(row)));
    },
  };
}
