import type { Migration } from '#database';

export const teamMigrations: readonly Migration[] = [
  {
    name: '0120-teams-create',
    async up(schema) {
      await schema.schema
        .createTable('teams')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('slug', 'text', (column) => column.notNull().unique())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('passportEnabled', 'integer', (column) => column.notNull())
        .addColumn('defaultPassport', 'text')
        .addColumn('workloadAlgorithm', 'text', (column) => column.notNull())
        .addColumn('revision', 'integer', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .execute();
      // Every slug that was ever a team's. Rows are never deleted: a slug stands in the subjects of tokens that
      // others trust, so it must not come to mean another team.
      await schema.schema
        .createTable('teamSlugs')
        .addColumn('slug', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createTable('members')
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('role', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('membersKey', ['teamId', 'userId'])
        .execute();
      await schema.schema
        .createIndex('membersByUser')
        .on('members')
        .columns(['userId', 'createdAt'])
        .execute();
    },
  },
];
