import type { Migration } from '#database';
import type { AppRow } from './app-row.ts';
import { resourceOriginsOf, type ResourceOriginTables } from './resource-origin-store.ts';

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
        // What no statement asks about, as JSON.
        .addColumn('settings', 'text', (column) => column.notNull())
        .addColumn('registration', 'text', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint')
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
        // Only of apps with client_secret_jwt, which is verified with the secret itself.
        .addColumn('sealed', 'text')
        .addColumn('last4', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint')
        .addColumn('lastUsedAt', 'bigint')
        .execute();
      await schema.schema.createIndex('appSecretsByApp').on('appSecrets').column('appId').execute();
    },
  },
  {
    name: '0231-app-registrations-create',
    async up(schema) {
      await schema.schema
        .createTable('appRegistrations')
        .addColumn('appId', 'text', (column) => column.primaryKey())
        .addColumn('tokenHash', 'text', (column) => column.notNull())
        .execute();
      await schema.schema
        .createTable('appLogos')
        .addColumn('appId', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        // base64: a type of column that both databases read alike.
        .addColumn('content', 'text', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('appLogosByName').on('appLogos').column('name').execute();
      await schema.schema.createIndex('appsByExpiry').on('apps').column('expiresAt').execute();
    },
  },
  {
    name: '0232-resource-origins-create',
    async up(schema) {
      await schema.schema
        .createTable('resourceOrigins')
        .addColumn('origin', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .execute();
      // What apps list already belongs to the team whose app is the oldest.
      const query = schema.withTables<{ apps: AppRow } & ResourceOriginTables>();
      const apps = await query
        .selectFrom('apps')
        .select(['teamId', 'settings'])
        .where('registration', '=', 'dashboard')
        .orderBy('createdAt')
        .orderBy('id')
        .execute();
      for (const { teamId, settings } of apps) {
        const listed = { resources: [], protectedResources: [], ...(JSON.parse(settings) as object) };
        for (const origin of resourceOriginsOf(listed)) {
          await query
            .insertInto('resourceOrigins')
            .values({ origin, teamId })
            .onConflict((conflict) => conflict.doNothing())
            .execute();
        }
      }
    },
  },
];
