import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Clock } from '#clock';
import { exactly, type Bound, type Database, type Expected } from '#database';
import { hashSecret } from '#sealing';

type PushedRow = {
  hash: string;
  clientId: string;
  parameters: string;
  createdAt: number;
  expiresAt: number;
  completedAt: number | null;
};

/** RFC 9126, 2.2: the reference is a URN of this form. */
const requestUriPrefix = 'urn:ietf:params:oauth:request_uri:';

/** Past its expiry, for as long as somebody may be on the pages with it. */
const keptMilliseconds = 2 * 60 * 60 * 1000;
const pruneEveryMilliseconds = 60_000;

/** Seconds within which the person's browser has to bring it. */
export const pushedRequestLifetimeSeconds = 60;

/** An authorization request that a client sent ahead (RFC 9126). */
export type PushedRequest = {
  /** The stored hash: names it, and cannot be presented. */
  id: string;
  clientId: string;
  /** As they were sent, without what authenticated the client. */
  parameters: ReadonlyMap<string, string>;
  state: 'live' | 'used' | 'expired';
};

export type PushedRequests = ReturnType<typeof createPushedRequests>;

/** Whether a `request_uri` is a reference of ours, rather than an address to fetch. */
export function isPushedRequestUri(requestUri: string): boolean {
  return requestUri.startsWith(requestUriPrefix);
}

/**
 * Pushed requests. One is used up when an authorization completes with it, not when it is opened: a page may be
 * loaded twice. Its expiry bounds the opening; the person may take their time.
 */
export function createPushedRequests({ database, clock }: { database: Database; clock: Clock }) {
  let prunedAt = 0;
  const query = database.queries<{ pushedRequests: PushedRow }>();
  const insert = database.statement<Pick<PushedRow, 'hash' | 'clientId' | 'parameters'>>()((value) =>
    query.insertInto('pushedRequests').values({
      hash: value('hash'),
      clientId: value('clientId'),
      parameters: value('parameters'),
      createdAt: database.now,
      expiresAt: sql<number>`${database.now} + ${sql.lit(pushedRequestLifetimeSeconds * 1000)}`,
    }),
  );
  const findByHash = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('pushedRequests')
      .select(['hash', 'clientId', 'parameters'])
      .select((column) => [
        column
          .case()
          .when('completedAt', 'is not', null)
          .then('used' as const)
          .when('expiresAt', '<=', database.now)
          .then('expired' as const)
          .else('live' as const)
          .end()
          .as('state'),
      ])
      .where('hash', '=', value('hash')),
  );
  const complete = database.statement<{ hash: string }>()((value) =>
    query
      .updateTable('pushedRequests')
      .set({ completedAt: database.now })
      .where('hash', '=', value('hash'))
      .where('completedAt', 'is', null),
  );
  const deleteOld = database.statement<Record<never, never>>()(() =>
    query
      .deleteFrom('pushedRequests')
      .where('expiresAt', '<=', sql<number>`${database.now} - ${sql.lit(keptMilliseconds)}`),
  );

  return {
    /** Stores a request that has been validated. The URI is given out; only its hash is kept. */
    push(
      clientId: string,
      parameters: ReadonlyMap<string, string>,
    ): { requestUri: string; statements: readonly Bound<unknown>[] } {
      const secret = randomBytes(32).toString('base64url');
      const statement = insert({
        hash: hashSecret(secret),
        clientId,
        parameters: JSON.stringify([...parameters]),
      });
      const isTimeToPrune = clock.now() - prunedAt > pruneEveryMilliseconds;
      if (isTimeToPrune) prunedAt = clock.now();
      const statements = [statement, ...(isTimeToPrune ? [deleteOld({})] : [])];
      return { requestUri: `${requestUriPrefix}${secret}`, statements };
    },

    async find(requestUri: string): Promise<PushedRequest | undefined> {
      const secret = requestUri.slice(requestUriPrefix.length);
      const row = await database.find(findByHash({ hash: hashSecret(secret) }));
      if (row === undefined) return undefined;
      return {
        id: row.hash,
        clientId: row.clientId,
        parameters: new Map(JSON.parse(row.parameters) as [string, string][]),
        state: row.state,
      };
    },

    /** The one atomic statement of its single use: first in the unit that answers the authorization. */
    complete: (id: string): Expected => exactly(1, complete({ hash: id })),
  };
}
