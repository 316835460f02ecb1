import { getRoute, type AuthorizedAppDocument } from '@tessera/contract';
import { restDoor, type RestDoor } from '#http';
import type { AuthorizedApp, AuthorizedApps } from './authorized-apps.ts';

/** REST doors of the apps that a person allowed something. */
export function createAuthorizedAppRest({
  authorizedApps,
}: {
  authorizedApps: AuthorizedApps;
}): readonly RestDoor[] {
  return [
    restDoor(getRoute('authorized-apps.list'), async ({ caller }) => ({
      apps: (await authorizedApps.list(caller.userId)).map(documentOf),
    })),
    restDoor(getRoute('authorized-apps.delete'), async ({ caller, params, reference }) => {
      await authorizedApps.revoke(caller.userId, params.appId, reference);
    }),
  ];
}

function documentOf(app: AuthorizedApp): AuthorizedAppDocument {
  return {
    ...app,
    logo: app.logo ?? null,
    teamName: app.teamName ?? null,
    lastUsedAt: app.lastUsedAt ?? null,
    allowed: app.allowed.map(({ scopes, teamId, host, createdAt, updatedAt }) => ({
      scopes: [...scopes],
      teamId: teamId ?? null,
      host: host ?? null,
      createdAt,
      updatedAt,
    })),
  };
}
