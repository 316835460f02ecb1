import { getRoute, pageOf, type AppActivityDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { LogoutDelivery } from './delivery.ts';
import type { Logout } from './logout.ts';

/** `GET /v1/apps/{id}/activity`: the logouts that were sent to an app, and how it answered. */
export function createLogoutRest(needs: {
  logout: Pick<Logout, 'listOfApp'>;
  findApp: (id: string) => Promise<{ id: string; teamId: string } | undefined>;
}): readonly RestDoor[] {
  return [
    restDoor(getRoute('app-activity.list'), async ({ team, params, query }) => {
      const app = await needs.findApp(params.id);
      if (app === undefined || app.teamId !== team.id) {
        throw publicError('not_found', { description: `The team has no app "${params.id}".` });
      }
      const found = await needs.logout.listOfApp(app.id, query.limit + 1, query.cursor);
      const { rows, pagination } = pageOf(found, query.limit);
      return { activity: rows.map(documentOf), pagination };
    }),
  ];
}

function documentOf(delivery: LogoutDelivery): AppActivityDocument {
  return {
    kind: 'backchannel-logout',
    id: delivery.id,
    createdAt: delivery.createdAt,
    outcome: delivery.outcome,
    uri: delivery.uri,
    sub: delivery.userId,
    sid: delivery.sid,
    attempts: delivery.attempts,
    lastTriedAt: delivery.lastTriedAt ?? null,
    nextTryAt: delivery.nextTryAt ?? null,
    status: delivery.status ?? null,
    failure: delivery.failure ?? null,
  };
}
