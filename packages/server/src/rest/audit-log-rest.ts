import { getRoute, pageOf } from '@tessera/contract';
import type { Audit } from '#audit';
import { restDoor, type RestDoor } from '#http';

/** `GET /v1/audit-log`: what was done in a team, newest first. */
export function createAuditLogRest({ audit }: { audit: Pick<Audit, 'listOfTeam'> }): readonly RestDoor[] {
  return [
    restDoor(getRoute('audit-log.list'), async ({ team, query }) => {
      // Ids sort by time, so the id alone is the place.
      const found = await audit.listOfTeam(team.id, { before: query.cursor?.id, limit: query.limit + 1 });
      const { rows, pagination } = pageOf(
        found.map((record) => ({ ...record, createdAt: record.at })),
        query.limit,
      );
      const records = rows.map((record) => ({
        id: record.id,
        at: record.at,
        actor: record.actor,
        action: record.action,
        object: record.object,
        teamId: record.teamId ?? null,
        before: record.before ?? null,
        after: record.after ?? null,
        reference: record.reference ?? null,
      }));
      return { records, pagination };
    }),
  ];
}
