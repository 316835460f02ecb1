import { getRoute, pageOf, type PassportSessionDocument } from '@tessera/contract';
import type { Audit } from '#audit';
import { exactly, type Database } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { VisitorSession } from './visitor-session.ts';
import type { Visitors } from './visitor-session-store.ts';

/** REST doors of a team's visitor sessions: list them, end one or many. */
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
      if (session === undefined) throw publicError('not_found');
      // Ended by now, or by somebody else: what was asked for is so.
      if (session.endedAt !== undefined) return;
      const [end, noted] = visitors.end(session.id, 'ended-by-team');
      await database.tryWrite([
        exactly(1, end),
        noted,
        audit.record({
          actor: caller.id,
          action: 'passport-session.end',
          object: session.id,
          teamId: team.id,
          after: { by: 'team', externalSub: session.externalSub, host: session.host },
          reference,
        }),
      ]);
    }),

    restDoor(getRoute('passport-sessions.end-many'), async ({ team, query, caller, reference }) => {
      const { projectId, connectorId, externalSub, all } = query;
      const filter = { projectId, connectorId, externalSub };
      const isNarrowed = Object.values(filter).some((value) => value !== undefined);
      // A filter that got lost on the way must not sign everybody out.
      if (isNarrowed === (all === 'true')) {
        throw publicError('bad_request', {
          description: isNarrowed
            ? "Received 'all' together with a filter. Expected one or the other."
            : "Received no filter. Expected 'projectId', 'connectorId', 'externalSub', or 'all=true'.",
          mend: "Say whose sessions are to end; 'all=true' ends every one of the team.",
        });
      }
      const ended = await visitors.countOfTeam(team.id, filter);
      await database.write([
        ...visitors.endOfTeam(team.id, filter, 'ended-by-team'),
        audit.record({
          actor: caller.id,
          action: 'passport-session.end-many',
          object: team.id,
          teamId: team.id,
          after: { by: 'team', ...filter, sessions: ended },
          reference,
        }),
      ]);
      return { ended };
    }),
  ];
}

function documentOf(session: VisitorSession): PassportSessionDocument {
  const { email, name } = session.claims;
  return {
    sid: session.id,
    projectId: session.projectId,
    deploymentId: session.deploymentId,
    connectorId: session.connectorId,
    host: session.host,
    externalSub: session.externalSub,
    externalIss: session.externalIss,
    email: email ?? null,
    name: name ?? null,
    createdAt: session.createdAt,
    expiresAt: session.expiresAt,
    idleExpiresAt: session.idle?.expiresAt ?? null,
  };
}
