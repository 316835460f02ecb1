import type { Migration } from '#database';

export const dpopMigrations: readonly Migration[] = [
  {
    name: '0330-dpop-proofs-create',
    async up(schema) {
      await schema.schema
        .createTable('dpopProofs')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('expiresAt', 'bigint', (column) => column.notNull())
        .execute();
      await schema.schema.createIndex('dpopProofsByExpiry').on('dpopProofs').column('expiresAt').execute();
    },
  },
];
