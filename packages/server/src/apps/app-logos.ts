import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { publicError } from '#errors';
import type { App } from './app.ts';
import { isLogoName, parseLogo, withLogo, type AppLogo } from './app-logo.ts';
import { createAppLogoStore } from './app-logo-store.ts';
import { createAppStore } from './app-store.ts';
import type { AppActor } from './apps.ts';

export type AppLogos = ReturnType<typeof createAppLogos>;

/** Logos that teams upload for their apps. None is ever fetched, and none is a document (never SVG). */
export function createAppLogos(needs: { database: Database; clock: Clock; audit: Pick<Audit, 'record'> }) {
  const { database, clock, audit } = needs;
  const store = createAppLogoStore(database);
  const apps = createAppStore(database, false);

  async function change(
    app: App,
    logo: ReturnType<typeof parseLogo> | undefined,
    actor: AppActor,
  ): Promise<App> {
    const changed = withLogo(app, logo?.name, clock.now());
    const outcome = await database.tryWrite([
      apps.update(changed, app.updatedAt),
      logo === undefined ? store.delete(app.id) : store.put(app.id, logo),
      audit.record({
        actor: actor.id,
        action: logo === undefined ? 'app-logo.delete' : 'app-logo.put',
        object: app.id,
        teamId: app.teamId,
        before: { logo: app.logo },
        after: { logo: changed.logo },
        reference: actor.reference,
      }),
    ]);
    if (!outcome.committed) throw publicError('app_changed');
    return changed;
  }

  return {
    /** Throws `logo_refused` or `app_changed`. */
    put: (app: App, upload: { type: string; bytes: Uint8Array }, actor: AppActor): Promise<App> =>
      change(app, parseLogo(upload), actor),
    /** Throws `app_changed`. */
    delete: async (app: App, actor: AppActor): Promise<void> => {
      if (app.logo !== undefined) await change(app, undefined, actor);
    },
    /** What is served under a name; undefined when nothing is. */
    find: async (name: string): Promise<AppLogo | undefined> =>
      isLogoName(name) ? store.find(name) : undefined,
  };
}
