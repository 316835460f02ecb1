import type { Migration } from '#database';

export const projectMigrations: readonly Migration[] = [
  {
    name: '0130-projects-create',
    async up(schema) {
      await schema.schema
        .createTable('projects')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('ownEnvironments', 'text', (column) => column.notNull())
        .addColumn('passport', 'text')
        .addColumn('oidcTokenConfig', 'text', (column) => column.notNull())
        .addColumn('revision', 'integer', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('projectsByName', ['teamId', 'name'])
        .execute();
      await schema.schema
        .createIndex('projectsByTeam')
        .on('projects')
        .columns(['teamId', 'createdAt', 'id'])
        .execute();
      // Every name that was ever a project's. Rows are never deleted: the name stands in the subjects of tokens
      // that others trust.
      await schema.schema
        .createTable('projectNames')
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('projectNamesKey', ['teamId', 'name'])
        .execute();
      // Every environment that a project ever had of its own, for the same reason.
      await schema.schema
        .createTable('projectEnvironments')
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('projectEnvironmentsKey', ['projectId', 'name'])
        .execute();
    },
  },
  {
    name: '0410-projects-protection',
    async up(schema) {
      // All settings beside Passport, as one JSON text: nothing is ever looked for by one of them.
      await schema.schema.alterTable('projects').addColumn('protection', 'text').execute();
    },
  },
  {
    name: '0420-projects-password-hash',
    async up(schema) {
      // Apart from the settings, which go to many places where a hash has no business.
      await schema.schema.alterTable('projects').addColumn('passwordHash', 'text').execute();
    },
  },
  {
    name: '0440-passport-usage-create',
    async up(schema) {
      await schema.schema
        .createTable('passportUsage')
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('month', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('passportUsageKey', ['teamId', 'month', 'projectId'])
        .execute();
    },
  },
];
