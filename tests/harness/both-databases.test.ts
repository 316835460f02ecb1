import { expect, test } from 'vitest';
import { exactly } from '../../packages/server/src/database/index.ts';
import { describeOnBothDatabases } from './both-databases.ts';

type Tables = { things: { id: string; expiresAt: number } };

describeOnBothDatabases('a store test', (openDatabase, kind) => {
  test('has an empty database in the form it asked for', async () => {
    const database = await openDatabase([
      {
        name: '0001-things',
        async up(schema) {
          await schema.schema
            .createTable('things')
            .addColumn('id', 'text', (column) => column.primaryKey())
            .addColumn('expiresAt', 'bigint', (column) => column.notNull())
            .execute();
        },
      },
    ]);
    expect(database.dialect).toBe(kind);
    const query = database.queries<Tables>();
    const insert = database.statement<Tables['things']>()((value) =>
      query.insertInto('things').values({ id: value('id'), expiresAt: value('expiresAt') }),
    );
    const all = database.statement<object>()(() => query.selectFrom('things').selectAll());
    await database.write([exactly(1, insert({ id: 'one', expiresAt: 1_700_000_000_000 }))]);
    expect(await database.list(all({}))).toEqual([{ id: 'one', expiresAt: 1_700_000_000_000 }]);
  });
});
