import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { appDocument } from './app-document.ts';
import type { App } from './app.ts';
import type { AppLogos } from './app-logos.ts';
import type { Apps } from './apps.ts';

/** REST doors of the logos of apps. */
export function createAppLogoRest(needs: { apps: Apps; logos: AppLogos }): readonly RestDoor[] {
  const { apps, logos } = needs;

  async function getApp(id: string, teamId: string): Promise<App> {
    const app = await apps.find(id);
    if (app?.teamId === teamId) return app;
    throw publicError('not_found', { description: `The team has no app "${id}".` });
  }

  return [
    restDoor(getRoute('app-logos.put'), async ({ team, params, body, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      const changed = await logos.put(app, body, { id: caller.id, reference });
      return appDocument(changed, await apps.listSecrets(app.id));
    }),
    restDoor(getRoute('app-logos.delete'), async ({ team, params, caller, reference }) => {
      await logos.delete(await getApp(params.id, team.id), { id: caller.id, reference });
    }),
  ];
}
