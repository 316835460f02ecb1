import { sql, type RawBuilder } from 'kysely';
import type { Bound, Database, Expected } from '#database';
import { exactly } from '#database';
import { emailKey, type User } from './user.ts';

type UserTables = {
  users: {
    id: string;
    email: string;
    emailKey: string;
    emailVerified: number;
    name: string | null;
    username: string;
    picture: string | null;
    isInstanceAdmin: number;
    isFirst: number | null;
    createdAt: number;
    updatedAt: number;
    disabledAt: number | null;
  };
};
type Row = UserTables['users'];

/** Whether a person may use their account, as a condition over a column of another room's statement. */
export function isEnabled({ userId }: { userId: RawBuilder<string> }): RawBuilder<boolean> {
  return sql`exists (select 1 from "users" where "users"."id" = ${userId} and "users"."disabledAt" is null)`;
}

export type UserStore = ReturnType<typeof createUserStore>;

export function createUserStore(database: Database) {
  const query = database.queries<UserTables>();

  const selectById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('users').selectAll().where('id', '=', value('id')),
  );
  const selectByEmail = database.statement<{ emailKey: string }>()((value) =>
    query.selectFrom('users').selectAll().where('emailKey', '=', value('emailKey')),
  );
  const selectByUsername = database.statement<{ username: string }>()((value) =>
    query.selectFrom('users').selectAll().where('username', '=', value('username')),
  );
  const selectAny = database.statement<Record<never, never>>()(() =>
    query.selectFrom('users').select('id').limit(1),
  );
  const selectAll = database.statement<{ limit: number }>()((value) =>
    query.selectFrom('users').selectAll().orderBy('createdAt').orderBy('id').limit(value('limit')),
  );
  const insertRow = database.statement<Row>()((value) =>
    query
      .insertInto('users')
      .values({
        id: value('id'),
        email: value('email'),
        emailKey: value('emailKey'),
        emailVerified: value('emailVerified'),
        name: value('name'),
        username: value('username'),
        picture: value('picture'),
        isInstanceAdmin: value('isInstanceAdmin'),
        isFirst: value('isFirst'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
        disabledAt: value('disabledAt'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const updateNameRow = database.statement<Pick<Row, 'id' | 'name' | 'updatedAt'>>()((value) =>
    query
      .updateTable('users')
      .set({ name: value('name'), updatedAt: value('updatedAt') })
      .where('id', '=', value('id')),
  );

  const one = async (bound: Bound<Row>): Promise<User | undefined> => {
    const row = await database.find(bound);
    return row && userOf(row);
  };

  return {
    find: (id: string) => one(selectById({ id })),
    findByEmail: (email: string) => one(selectByEmail({ emailKey: emailKey(email) })),
    findByUsername: (username: string) => one(selectByUsername({ username })),
    hasAny: async (): Promise<boolean> => (await database.find(selectAny({}))) !== undefined,
    list: async (limit: number): Promise<User[]> => (await database.list(selectAll({ limit }))).map(userOf),
    insert: (user: User, isFirst: boolean): Expected =>
      exactly(
        1,
        insertRow({
          id: user.id,
          email: user.email,
          emailKey: emailKey(user.email),
          emailVerified: user.emailVerified ? 1 : 0,
          name: user.name ?? null,
          username: user.username,
          picture: user.picture ?? null,
          isInstanceAdmin: user.isInstanceAdmin ? 1 : 0,
          isFirst: isFirst ? 1 : null,
          createdAt: user.createdAt,
          updatedAt: user.updatedAt,
          disabledAt: user.disabledAt ?? null,
        }),
      ),
    updateName: (id: string, name: string, updatedAt: number): Expected =>
      exactly(1, updateNameRow({ id, name, updatedAt })),
  };
}

function userOf(row: Row): User {
  return {
    id: row.id,
    email: row.email,
    emailVerified: row.emailVerified === 1,
    name: row.name ?? undefined,
    username: row.username,
    picture: row.picture ?? undefined,
    isInstanceAdmin: row.isInstanceAdmin === 1,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    disabledAt: row.disabledAt ?? undefined,
  };
}
