import { sql } from 'kysely';
import type { Migration } from '#database';

export const connectorMigrations: readonly Migration[] = [
  {
    name: '0240-connectors-create',
    async up(schema) {
      await schema.schema
        .createTable('connectors')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('issuer', 'text', (column) => column.notNull())
        .addColumn('clientId', 'text', (column) => column.notNull())
        .addColumn('clientSecretSealed', 'text')
        .addColumn('tokenEndpointAuthMethod', 'text', (column) => column.notNull())
        .addColumn('authorizationEndpoint', 'text', (column) => column.notNull())
        .addColumn('tokenEndpoint', 'text', (column) => column.notNull())
        .addColumn('jwksUri', 'text', (column) => column.notNull())
        .addColumn('userinfoEndpoint', 'text')
        .addColumn('endSessionEndpoint', 'text')
        .addColumn('scopes', 'text', (column) => column.notNull())
        .addColumn('forwardedClaims', 'text', (column) => column.notNull())
        .addColumn('idTokenSigningAlgorithms', 'text', (column) => column.notNull())
        .addColumn('issParameterSupported', 'integer', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('updatedAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('connectorsByTeam')
        .on('connectors')
        .columns(['teamId', 'createdAt'])
        .execute();
    },
  },
  {
    name: '0430-connectors-oauth2-and-keys',
    async up(schema) {
      await schema.schema
        .alterTable('connectors')
        .addColumn('subjectClaim', 'text', (column) => column.notNull().defaultTo('sub'))
        .execute();
      await schema.schema
        .alterTable('connectors')
        .addColumn('clientAssertionAudience', 'text', (column) => column.notNull().defaultTo('issuer'))
        .execute();
      await schema.schema.alterTable('connectors').addColumn('clientSecretSetAt', 'bigint').execute();
      await schema.schema.alterTable('connectors').addColumn('credentialsUsedAt', 'bigint').execute();
      // Until now a secret could only come with a save; which of them brought it is not known, so the last counts.
      await sql`update connectors set "clientSecretSetAt" = "updatedAt" where "clientSecretSealed" is not null`.execute(
        schema,
      );
    },
  },
  {
    name: '0441-connectors-add-refresh-tokens',
    async up(schema) {
      await schema.schema
        .alterTable('connectors')
        .addColumn('usesRefreshTokens', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
  {
    name: '0520-connectors-add-own-redirect-uri',
    async up(schema) {
      await schema.schema
        .alterTable('connectors')
        .addColumn('usesOwnRedirectUri', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
];
