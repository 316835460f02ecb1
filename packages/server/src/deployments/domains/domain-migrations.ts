import type { Migration } from '#database';

export const domainMigrations: readonly Migration[] = [
  {
    name: '0540-project-domains-create',
    async up(schema) {
      // What projects say of themselves. Any number of teams may say it of one name.
      await schema.schema
        .createTable('projectDomains')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('token', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .addUniqueConstraint('projectDomainsOfTeam', ['teamId', 'name'])
        .execute();
      await schema.schema
        .createIndex('projectDomainsByProject')
        .on('projectDomains')
        .columns(['projectId', 'createdAt'])
        .execute();
      // What the DNS has said: one holder a name.
      await schema.schema
        .createTable('verifiedDomains')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('verifiedAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('verifiedDomainsByProject')
        .on('verifiedDomains')
        .column('projectId')
        .execute();
    },
  },
];
