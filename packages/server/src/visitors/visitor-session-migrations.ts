import type { Migration } from '#database';

export const visitorMigrations: readonly Migration[] = [
  {
    name: '0250-passport-sessions-create',
    async up(schema) {
      await schema.schema
        .createTable('passportSessions')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text', (column) => column.notNull())
        .addColumn('environment', 'text', (column) => column.notNull())
        .addColumn('deploymentId', 'text', (column) => column.notNull())
        .addColumn('host', 'text', (column) => column.notNull())
        .addColumn('connectorId', 'text', (column) => column.notNull())
        .addColumn('externalSub', 'text', (column) => column.notNull())
        .addColumn('externalIss', 'text', (column) => column.notNull())
        .addColumn('claims', 'text', (column) => column.notNull())
        .addColumn('companionHash', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .addColumn('endedAt', 'bigint')
        .addColumn('endedBy', 'text')
        .execute();
      await schema.schema
        .createIndex('passportSessionsByTeam')
        .on('passportSessions')
        .columns(['teamId', 'createdAt', 'id'])
        .execute();
      await schema.schema
        .createIndex('passportSessionsByPrincipal')
        .on('passportSessions')
        .columns(['connectorId', 'externalSub'])
        .execute();
      await schema.schema
        .createIndex('passportSessionsByExpiry')
        .on('passportSessions')
        .column('expiresAt')
        .execute();
    },
  },
  {
    name: '0442-passport-sessions-add-provider',
    async up(schema) {
      await schema.schema.alterTable('passportSessions').addColumn('externalSid', 'text').execute();
      await schema.schema.alterTable('passportSessions').addColumn('providerTokens', 'text').execute();
    },
  },
  {
    name: '0530-passport-sessions-add-idle',
    async up(schema) {
      await schema.schema.alterTable('passportSessions').addColumn('idleSeconds', 'bigint').execute();
      await schema.schema.alterTable('passportSessions').addColumn('idleExpiresAt', 'bigint').execute();
    },
  },
  {
    name: '0550-passport-ends-create',
    async up(schema) {
      await schema.schema
        .createTable('passportEnds')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('projectId', 'text')
        .addColumn('connectorId', 'text')
        .addColumn('externalSub', 'text')
        .addColumn('externalSid', 'text')
        .addColumn('before', 'bigint', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema
        .createIndex('passportEndsByTeam')
        .on('passportEnds')
        .columns(['teamId', 'before'])
        .execute();
      await schema.schema.createIndex('passportEndsByAge').on('passportEnds').column('createdAt').execute();
      await schema.schema
        .createTable('passportEndTurns')
        .addColumn('teamId', 'text', (column) => column.primaryKey())
        .addColumn('turns', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  {
    name: '0560-passport-sessions-by-end',
    async up(schema) {
      await schema.schema
        .createIndex('passportSessionsByEnd')
        .on('passportSessions')
        .column('endedAt')
        .where('endedAt', 'is not', null)
        .execute();
      await schema.schema
        .createIndex('passportSessionsByIdleExpiry')
        .on('passportSessions')
        .column('idleExpiresAt')
        .where('idleExpiresAt', 'is not', null)
        .execute();
    },
  },
];
