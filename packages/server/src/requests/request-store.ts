import { createId, formatScope, isId } from '@tessera/protocol';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { AuthorizationParameters, AuthorizationRequest } from './request.ts';

type RequestRow = {
  id: string;
  parameters: string;
  reference: string;
  browserId: string | null;
  loginAtStart: string | null;
  approvedUserId: string | null;
  approvedScopes: string | null;
  approvedTeamId: string | null;
  cancelledAt: number | null;
  completedAt: number | null;
  createdAt: number;
  expiresAt: number;
};

/** Long enough to find a password, short enough that a forgotten tab is asked anew. */
const lifetimeMilliseconds = 60 * 60 * 1000;

export type Requests = ReturnType<typeof createRequests>;

export function createRequests({ database }: { database: Database }) {
  const query = database.queries<{ authorizationRequests: RequestRow }>();
  const isLive = sql<boolean>`${sql.ref('completedAt')} is null and ${sql.ref('expiresAt')} > ${database.now}`;

  const insert = database.statement<
    Pick<RequestRow, 'id' | 'parameters' | 'reference' | 'browserId' | 'loginAtStart'> & { lifetime: number }
  >()((value) =>
    query.insertInto('authorizationRequests').values({
      id: value('id'),
      parameters: value('parameters'),
      reference: value('reference'),
      browserId: value('browserId'),
      loginAtStart: value('loginAtStart'),
      createdAt: database.now,
      expiresAt: sql<number>`${database.now} + ${value('lifetime')}`,
    }),
  );
  const findLive = database.statement<{ id: string }>()((value) =>
    query.selectFrom('authorizationRequests').selectAll().where('id', '=', value('id')).where(isLive),
  );
  const bind = database.statement<{ id: string; browserId: string; loginAtStart: string | null }>()((value) =>
    query
      .updateTable('authorizationRequests')
      .set({ browserId: value('browserId'), loginAtStart: value('loginAtStart') })
      .where('id', '=', value('id'))
      .where('browserId', 'is', null)
      .where(isLive),
  );
  const settle = database.statement<{ id: string; unread: string; parameters: string }>()((value) =>
    query
      .updateTable('authorizationRequests')
      .set({ parameters: value('parameters') })
      .where('id', '=', value('id'))
      .where('parameters', '=', value('unread'))
      .where(isLive),
  );
  const approve = database.statement<{
    id: string;
    browserId: string;
    userId: string;
    scopes: string;
    teamId: string | null;
  }>()((value) =>
    query
      .updateTable('authorizationRequests')
      .set({
        approvedUserId: value('userId'),
        approvedScopes: value('scopes'),
        approvedTeamId: value('teamId'),
      })
      .where('id', '=', value('id'))
      .where('browserId', '=', value('browserId'))
      .where('cancelledAt', 'is', null)
      .where(isLive),
  );
  const cancel = database.statement<{ id: string; browserId: string }>()((value) =>
    query
      .updateTable('authorizationRequests')
      .set({ cancelledAt: database.now })
      .where('id', '=', value('id'))
      .where('browserId', '=', value('browserId'))
      .where(isLive),
  );
  const consume = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('authorizationRequests')
      .set({ completedAt: database.now })
      .where('id', '=', value('id'))
      .where(isLive),
  );

  return {
    /**
     * Stores a validated request. Without a `browserId` (a POST from another site carries no cookie) the first
     * browser that opens it may bind it.
     */
    create(input: {
      parameters: AuthorizationParameters;
      reference: string;
      browserId?: string | undefined;
      loginAtStart?: string | undefined;
    }): { id: string; statement: Bound<unknown> } {
      const id = createId('req');
      const statement = insert({
        id,
        parameters: JSON.stringify(input.parameters),
        reference: input.reference,
        browserId: input.browserId ?? null,
        loginAtStart: input.loginAtStart ?? null,
        lifetime: lifetimeMilliseconds,
      });
      return { id, statement };
    },

    /** A request that is neither finished nor expired. Whether this browser may see it is the asker's business. */
    async find(id: string): Promise<AuthorizationRequest | undefined> {
      if (!isId('req', id)) return undefined;
      const row = await database.find(findLive({ id }));
      if (row === undefined) return undefined;
      return {
        id: row.id,
        parameters: JSON.parse(row.parameters) as AuthorizationParameters,
        reference: row.reference,
        browserId: row.browserId ?? undefined,
        loginAtStart: row.loginAtStart ?? undefined,
        approved:
          row.approvedUserId === null
            ? undefined
            : {
                userId: row.approvedUserId,
                scopes: wordsOf(row.approvedScopes),
                teamId: row.approvedTeamId ?? undefined,
              },
        cancelled: row.cancelledAt !== null,
      };
    },

    /** Gives a request that has no browser yet to this one. Refused when another one was first. */
    bind: (id: string, browserId: string, loginAtStart: string | undefined): Expected =>
      exactly(1, bind({ id, browserId, loginAtStart: loginAtStart ?? null })),

    /**
     * Writes down what an unread request turned out to ask for. Once: the document may say something else to the next
     * reader, and the person has seen this on the page by then.
     */
    settle: (id: string, unread: AuthorizationParameters, parameters: AuthorizationParameters): Expected =>
      exactly(1, settle({ id, unread: JSON.stringify(unread), parameters: JSON.stringify(parameters) })),

    /** Notes what the person allowed; only in the browser that the request belongs to. */
    approve: (
      id: string,
      answer: {
        browserId: string;
        userId: string;
        scopes: readonly string[];
        teamId: string | undefined;
      },
    ): Expected =>
      exactly(
        1,
        approve({
          id,
          ...answer,
          scopes: formatScope(answer.scopes),
          teamId: answer.teamId ?? null,
        }),
      ),

    /** Notes that the person does not want it. */
    cancel: (id: string, browserId: string): Expected => exactly(1, cancel({ id, browserId })),

    /** Ends the request: first in the unit that issues its code, so that one request makes one code. */
    consume: (id: string): Expected => exactly(1, consume({ id })),
  };
}

function wordsOf(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split(' ');
}
