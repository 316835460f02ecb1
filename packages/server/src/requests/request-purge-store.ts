import type { Bound, Database } from '#database';

/** Deletes authorization requests that expired: nothing finds them any more. */
export function createRequestPurge({ database }: { database: Database }) {
  const query = database.queries<{ authorizationRequests: { id: string; expiresAt: number } }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('authorizationRequests')
      .where('id', 'in', (over) =>
        over
          .selectFrom('authorizationRequests')
          .select('id')
          .where('expiresAt', '<=', database.now)
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
