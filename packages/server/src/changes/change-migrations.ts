import type { Migration } from '#database';

export const changeMigrations: readonly Migration[] = [
  {
    name: '0400-changes-create',
    async up(schema) {
      await schema.schema
        .createTable('changes')
        .addColumn('kind', 'text', (column) => column.primaryKey())
        .addColumn('count', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
];
