import type { Migration } from '#database';

export const appMigrations: readonly Migration[] = [
  {
    name: '0230-apps-create',
    async up(schema) {
      await schema.schema
        .createTable('apps')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('nameKey', 'text', (column) => column.notNull().unique())
        .addColumn('slug', 'text', (column) => column.notNull().unique())
        .addColumn('redirectUris', 'text', (column) => column.notNull())
        .addColumn('postLogoutRedirectUris', 'text', (column) => column.notNull())
        .addColumn('backchannelLogoutUri', 'text')
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('tokenEndpointAuthMethods', 'text', (column) => column.notNull())
        .addColumn('signInAccess', 'text', (column) => column.notNull())
        .addColumn('idTokenSignedResponseAlg', 'text', (column) => column.notNull())
        .addColumn('requirePkce', 'integer', (column) => column.notNull())
        .addColumn('firstParty', 'integer', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('appsByTeam').on('apps').columns(['teamId', 'createdAt']).execute();
      await schema.schema
        .createTable('appSecrets')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('appId', 'text', (column) => column.notNull())
        .addColumn('hash', 'text', (column) => column.notNull())
        .addColumn('last4', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint')
        .addColumn('lastUsedAt', 'bigint')
        .execute();
      await schema.schema.createIndex('appSecretsByApp').on('appSecrets').column('appId').execute();
    },
  },
];
