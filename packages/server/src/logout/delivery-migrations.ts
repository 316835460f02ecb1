import type { Migration } from '#database';

export const logoutMigrations: readonly Migration[] = [
  {
    name: '0330-logout-deliveries-create',
    async up(schema) {
      await schema.schema
        .createTable('logoutDeliveries')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('appId', 'text', (column) => column.notNull())
        .addColumn('userId', 'text', (column) => column.notNull())
        .addColumn('sid', 'text', (column) => column.notNull())
        .addColumn('uri', 'text', (column) => column.notNull())
        .addColumn('outcome', 'text', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('createdAt', 'bigint', (column) => column.notNull())
        .addColumn('lastTriedAt', 'bigint')
        .addColumn('nextTryAt', 'bigint')
        .addColumn('status', 'integer')
        .addColumn('failure', 'text')
        .execute();
      // A session ends once: two who end it at once tell each app once.
      await schema.schema
        .createIndex('logoutDeliveriesBySession')
        .on('logoutDeliveries')
        .columns(['sid', 'appId'])
        .unique()
        .execute();
      await schema.schema
        .createIndex('logoutDeliveriesByApp')
        .on('logoutDeliveries')
        .columns(['appId', 'createdAt', 'id'])
        .execute();
      await schema.schema
        .createIndex('logoutDeliveriesByAge')
        .on('logoutDeliveries')
        .column('createdAt')
        .execute();
    },
  },
];
