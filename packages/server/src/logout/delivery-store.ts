import type { Cursor } from '@tessera/contract';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { LogoutDelivery } from './delivery.ts';

type DeliveryRow = {
  id: string;
  appId: string;
  userId: string;
  sid: string;
  uri: string;
  outcome: LogoutDelivery['outcome'];
  attempts: number;
  createdAt: number;
  lastTriedAt: number | null;
  nextTryAt: number | null;
  status: number | null;
  failure: string | null;
};

/** What a try came to. `pause`: milliseconds until the next. */
export type Try = Pick<LogoutDelivery, 'id' | 'uri' | 'outcome' | 'status' | 'failure'> & {
  pause: number | undefined;
};

export function createDeliveryStore(database: Database) {
  const query = database.queries<{ logoutDeliveries: DeliveryRow }>();
  const { now } = database;

  const insert = database.statement<Pick<DeliveryRow, 'id' | 'appId' | 'userId' | 'sid' | 'uri'>>()((value) =>
    query
      .insertInto('logoutDeliveries')
      .values({
        id: value('id'),
        appId: value('appId'),
        userId: value('userId'),
        sid: value('sid'),
        uri: value('uri'),
        outcome: 'waiting',
        attempts: 0,
        createdAt: now,
        nextTryAt: now,
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const find = database.statement<{ id: string }>()((value) =>
    query.selectFrom('logoutDeliveries').selectAll().where('id', '=', value('id')),
  );
  const listAppsOfSession = database.statement<{ sid: string }>()((value) =>
    query.selectFrom('logoutDeliveries').select('appId').where('sid', '=', value('sid')),
  );
  const record = database.statement<
    Pick<DeliveryRow, 'id' | 'uri' | 'outcome' | 'status' | 'failure'> & { pause: number | null }
  >()((value) =>
    query
      .updateTable('logoutDeliveries')
      .set({
        uri: value('uri'),
        outcome: value('outcome'),
        status: value('status'),
        failure: value('failure'),
        attempts: sql<number>`"attempts" + 1`,
        lastTriedAt: now,
        nextTryAt: sql<number | null>`${now} + cast(${value('pause')} as bigint)`,
      })
      .where('id', '=', value('id')),
  );
  const page = (after: boolean) =>
    database.statement<{ appId: string; createdAt: number; id: string; limit: number }>()((value) => {
      const ofApp = query
        .selectFrom('logoutDeliveries')
        .selectAll()
        .where('appId', '=', value('appId'))
        .orderBy('createdAt', 'desc')
        .orderBy('id', 'desc')
        .limit(value('limit'));
      if (!after) return ofApp;
      return ofApp.where((where) =>
        where.or([
          where('createdAt', '<', value('createdAt')),
          where.and([where('createdAt', '=', value('createdAt')), where('id', '<', value('id'))]),
        ]),
      );
    });
  const firstPage = page(false);
  const nextPage = page(true);

  return {
    /** Refused when this session's end is on its way to this app already. */
    insert: (delivery: Pick<LogoutDelivery, 'id' | 'appId' | 'userId' | 'sid' | 'uri'>): Expected =>
      exactly(1, insert(delivery)),
    async find(id: string): Promise<LogoutDelivery | undefined> {
      const row = await database.find(find({ id }));
      return row && deliveryOf(row);
    },
    listAppsOfSession: async (sid: string): Promise<string[]> =>
      (await database.list(listAppsOfSession({ sid }))).map(({ appId }) => appId),
    record: (tried: Try): Bound<unknown> =>
      record({
        id: tried.id,
        uri: tried.uri,
        outcome: tried.outcome,
        status: tried.status ?? null,
        failure: tried.failure?.slice(0, 500) ?? null,
        pause: tried.pause ?? null,
      }),
    /** An app's deliveries, the newest first, after the place where the last page ended. */
    async listOfApp(appId: string, limit: number, cursor: Cursor | undefined): Promise<LogoutDelivery[]> {
      const from = cursor ?? { createdAt: 0, id: '' };
      const bound = (cursor === undefined ? firstPage : nextPage)({ appId, limit, ...from });
      return (await database.list(bound)).map(deliveryOf);
    },
  };
}

function deliveryOf(row: DeliveryRow): LogoutDelivery {
  return {
    ...row,
    lastTriedAt: row.lastTriedAt ?? undefined,
    nextTryAt: row.nextTryAt ?? undefined,
    status: row.status ?? undefined,
    failure: row.failure ?? undefined,
  };
}
