import { randomUUID } from 'node:crypto';
import type { Clock } from '#clock';
import type { Bound, Database } from '#database';

type AuditRow = {
  id: string;
  at: number;
  actor: string;
  action: string;
  object: string;
  teamId: string | null;
  before: string | null;
  after: string | null;
  reference: string | null;
};

export type AuditEntry = {
  /** Who did it: the id of a user, an API token, an app, a deployment, or `system`. */
  actor: string;
  /** What was done, as `noun.verb`: `app.create`, `access-token.issue`. */
  action: string;
  /** The id of what it was done to; for a minted token its `jti` or the id of its family. Never a secret. */
  object: string;
  teamId?: string | undefined;
  before?: unknown;
  after?: unknown;
  /** The reference of the request. */
  reference?: string | undefined;
};

export type AuditRecord = AuditEntry & { id: string; at: number };

export type Audit = ReturnType<typeof createAudit>;

/** A record is a statement of the unit that it tells about: what happened and its record are committed together. */
export function createAudit({ database, clock }: { database: Database; clock: Clock }) {
  const query = database.queries<{ auditRecords: AuditRow }>();

  const insert = database.statement<AuditRow>()((value) =>
    query.insertInto('auditRecords').values({
      id: value('id'),
      at: value('at'),
      actor: value('actor'),
      action: value('action'),
      object: value('object'),
      teamId: value('teamId'),
      before: value('before'),
      after: value('after'),
      reference: value('reference'),
    }),
  );

  const listOfTeam = database.statement<{ teamId: string; before: string; limit: number }>()((value) =>
    query
      .selectFrom('auditRecords')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .where('id', '<', value('before'))
      .orderBy('id', 'desc')
      .limit(value('limit')),
  );

  const createId = createAuditIds();

  return {
    record(entry: AuditEntry): Bound<unknown> {
      const at = clock.now();
      return insert({
        id: createId(at),
        at,
        actor: entry.actor,
        action: entry.action,
        object: entry.object,
        teamId: entry.teamId ?? null,
        before: entry.before === undefined ? null : JSON.stringify(entry.before),
        after: entry.after === undefined ? null : JSON.stringify(entry.after),
        reference: entry.reference ?? null,
      });
    },

    /** Newest first; `before` is the id of the last record of the page before. */
    async listOfTeam(
      teamId: string,
      page: { before?: string | undefined; limit: number },
    ): Promise<AuditRecord[]> {
      const rows = await database.list(
        listOfTeam({ teamId, before: page.before ?? afterEveryId, limit: page.limit }),
      );
      return rows.map((row) => ({
        id: row.id,
        at: row.at,
        actor: row.actor,
        action: row.action,
        object: row.object,
        teamId,
        before: row.before === null ? undefined : (JSON.parse(row.before) as unknown),
        after: row.after === null ? undefined : (JSON.parse(row.after) as unknown),
        reference: row.reference ?? undefined,
      }));
    },
  };
}

// Ids begin with the time in base 36, whose first digit is a zero for the next thousand years.
const afterEveryId = 'aud_z';

/**
 * Ids that sort by time, so that the newest page is the end of the index and a cursor is an id. Records of one
 * millisecond keep the order in which this process made them: the log would otherwise tell an effect before its cause.
 */
function createAuditIds(): (at: number) => string {
  let latest = 0;
  let within = 0;
  return (at) => {
    within = at === latest ? within + 1 : 0;
    latest = at;
    const order = at.toString(36).padStart(9, '0') + within.toString(36).padStart(4, '0');
    return `aud_${order}${randomUUID().slice(14).replaceAll('-', '')}`;
  };
}
