import { sql } from 'kysely';
import type { Migration } from '#database';

export const keyMigrations: readonly Migration[] = [
  {
    name: '0020-signing-keys-create',
    async up(schema) {
      await schema.schema
        .createTable('signingKeys')
        .addColumn('kid', 'text', (column) => column.primaryKey())
        .addColumn('purpose', 'text', (column) => column.notNull())
        .addColumn('algorithm', 'text', (column) => column.notNull())
        // Rotation adds the next generation; that two processes make the same one is refused by the index below.
        .addColumn('generation', 'integer', (column) => column.notNull())
        .addColumn('publicJwk', 'text', (column) => column.notNull())
        .addColumn('sealedPrivateJwk', 'text', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('activeFrom', 'bigint', (column) => column.notNull())
        .addColumn('retiredAt', 'bigint')
        .execute();
      await schema.schema
        .createIndex('signingKeysGeneration')
        .unique()
        .on('signingKeys')
        .columns(['purpose', 'algorithm', 'generation'])
        .execute();
    },
  },
  {
    name: '0480-signing-keys-rotation',
    async up(schema) {
      await schema.schema.dropIndex('signingKeysGeneration').execute();
      // What it always meant: from then on the key is in no key set. A retired key is in them still.
      await schema.schema.alterTable('signingKeys').renameColumn('retiredAt', 'removedAt').execute();
      // Empty, not null, for a shared key: an index takes no two nulls for the same.
      await schema.schema
        .alterTable('signingKeys')
        .addColumn('teamId', 'text', (column) => column.notNull().defaultTo(''))
        .execute();
      await schema.schema.alterTable('signingKeys').addColumn('revokedAt', 'bigint').execute();
      await schema.schema
        .createIndex('signingKeysGenerationOfTeam')
        .unique()
        .on('signingKeys')
        .columns(['teamId', 'purpose', 'algorithm', 'generation'])
        .execute();
      await schema.schema
        .createTable('teamSigningKeys')
        .addColumn('teamId', 'text', (column) => column.notNull())
        .addColumn('purpose', 'text', (column) => column.notNull())
        .addColumn('signsFrom', 'bigint', (column) => column.notNull())
        .addColumn('endsAt', 'bigint')
        .addColumn('globalFrom', 'bigint')
        .addColumn('globalUntil', 'bigint')
        .addPrimaryKeyConstraint('teamSigningKeysPrimary', ['teamId', 'purpose'])
        .execute();
      // One row. Whoever changes a key counts it up in the same unit: so no two changes rest on the same keys, and a
      // node that reads the number alone knows whether there is anything new.
      await schema.schema
        .createTable('signingKeyChanges')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('number', 'bigint', (column) => column.notNull())
        .execute();
      await sql`insert into "signingKeyChanges" ("id", "number") values (1, 1)`.execute(schema);
    },
  },
];
