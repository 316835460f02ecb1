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
];
