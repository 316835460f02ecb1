import type { Database, Expected } from '#database';
import { exactly } from '#database';

type PasswordTables = {
  passwordCredentials: { userId: string; hash: string; createdAt: number; updatedAt: number };
};

export type PasswordStore = ReturnType<typeof createPasswordStore>;

export function createPasswordStore(database: Database) {
  const query = database.queries<PasswordTables>();

  const selectHash = database.statement<{ userId: string }>()((value) =>
    query.selectFrom('passwordCredentials').select('hash').where('userId', '=', value('userId')),
  );
  const upsert = database.statement<{ userId: string; hash: string; now: number }>()((value) =>
    query
      .insertInto('passwordCredentials')
      .values({
        userId: value('userId'),
        hash: value('hash'),
        createdAt: value('now'),
        updatedAt: value('now'),
      })
      .onConflict((conflict) =>
        conflict.column('userId').doUpdateSet({ hash: value('hash'), updatedAt: value('now') }),
      ),
  );
  // The former hash is a condition: a rehash must not undo a change of password that came in between.
  const replaceHash = database.statement<{ userId: string; hash: string; former: string; now: number }>()(
    (value) =>
      query
        .updateTable('passwordCredentials')
        .set({ hash: value('hash'), updatedAt: value('now') })
        .where('userId', '=', value('userId'))
        .where('hash', '=', value('former')),
  );

  return {
    findHash: async (userId: string): Promise<string | undefined> =>
      (await database.find(selectHash({ userId })))?.hash,
    save: (userId: string, hash: string, now: number): Expected => exactly(1, upsert({ userId, hash, now })),
    replace: replaceHash,
  };
}
