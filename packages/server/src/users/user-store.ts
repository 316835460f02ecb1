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

/** That a person may use their account, as a condition over a column of another room's statement. */
export const isEnabled = {
  kind: 'users',
  holds: ({ userId }: { userId: RawBuilder<string> }) =>
    sql<boolean>`exists (select 1 from "users" where "users"."id" = ${userId} and "users"."disabledAt" is null)`,
};

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

  // Changes nothing: whoever disables somebody waits here for others who do, so that two administrators cannot disable
  // each other, each resting on the other.
  const holdFirst = database.statement<Record<never, never>>()(() =>
    query
      .updateTable('users')
      .set(({ ref }) => ({ isFirst: ref('isFirst') }))
      .where('isFirst', '=', 1),
  );
  // The last administrator who can log in stays one.
  const disableRow = database.statement<{ id: string; at: number }>()((value) =>
    query
      .updateTable('users')
      .set({ disabledAt: value('at'), updatedAt: value('at') })
      .where('id', '=', value('id'))
      .where('disabledAt', 'is', null)
      .where(({ or, exists, selectFrom }) =>
        or([
          sql<boolean>`"isInstanceAdmin" = 0`,
          exists(
            selectFrom('users as others')
              .select('others.id')
              .where('others.isInstanceAdmin', '=', 1)
              .where('others.disabledAt', 'is', null)
              .where('others.id', '!=', value('id')),
          ),
        ]),
      ),
  );
  const enableRow = database.statement<{ id: string; at: number }>()((value) =>
    query
      .updateTable('users')
      .set({ disabledAt: null, updatedAt: value('at') })
      .where('id', '=', value('id'))
      .where('disabledAt', 'is not', null),
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
    disable: (id: string, at: number): readonly (Bound<unknown> | Expected)[] => [
      holdFirst({}),
      exactly(1, disableRow({ id, at })),
    ],
    enable: (id: string, at: number): Expected => exactly(1, enableRow({ id, at })),
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
