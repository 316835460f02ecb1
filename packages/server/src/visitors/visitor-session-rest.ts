import { getRoute, pageOf, type PassportSessionDocument } from '@tessera/contract';
import type { Audit } from '#audit';
import type { Database } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Visitors } from './visitor-session-store.ts';
import type { VisitorSession } from './visitor-session.ts';

/** REST doors of visitors' sessions: a team lists and ends them. */
export function createVisitorRest(needs: {
  visitors: Visitors;
  database: Database;
  audit: Audit;
}): readonly RestDoor[] {
  const { visitors, database, audit } = needs;
  return [
    restDoor(getRoute('passport-sessions.list'), async ({ team, query }) => {
      const { projectId, connectorId, externalSub, cursor, limit } = query;
      const found = await visitors.listOfTeam(
        team.id,
        { projectId, connectorId, externalSub },
        { limit: limit + 1, after: cursor },
      );
      const { rows, pagination } = pageOf(found, limit);
      return { sessions: rows.map(documentOf), pagination };
    }),

    restDoor(getRoute('passport-sessions.end'), async ({ team, params, caller, reference }) => {
      const session = await visitors.findOfTeam(team.id, params.sid);
      if (session === undefined) {
        throw publicError('not_found', { description: `The team has no passport session "${params.sid}".` });
      }
      await database.write([
        visitors.end(session.id, 'ended-by-team'),
        audit.record({
          actor: caller.id,
          action: 'passport-session.end',
          object: session.id,
          teamId: team.id,
          before: { host: session.host, externalSub: session.externalSub },
          reference,
        }),
      ]);
    }),
  ];
}

function documentOf(session: VisitorSession): PassportSessionDocument {
  return {
    sid: session.id,
    projectId: session.projectId,
    deploymentId: session.deploymentId,
    connectorId: session.connectorId,
    host: session.host,
    externalSub: session.externalSub,
    externalIss: session.externalIss,
    email: session.claims.email ?? null,
    name: session.claims.name ?? null,
    createdAt: session.createdAt,
    expiresAt: session.expiresAt,
  };
}
