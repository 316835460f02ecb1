import { isDeepStrictEqual } from 'node:util';
import { deviceCodeGrantType } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { defaultAppFields, noClaims, unownedTeamId, type App, type AppFields } from './app.ts';
import { validateApp } from './app-rules.ts';
import { createAppStore } from './app-store.ts';

const name = 'Tessera CLI';
const actor = 'system';

/** A public client on this machine: loopback on any port (RFC 8252, 7.3), or a code typed at a browser (RFC 8628). */
const fields: Omit<AppFields, 'name' | 'slug'> = {
  ...defaultAppFields,
  redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  grantTypes: ['authorization_code', 'refresh_token', deviceCodeGrantType],
  tokenEndpointAuthMethods: ['none'],
  signInAccess: 'anyone',
};

/**
 * The app that the command line logs in as. Its id is known to programs (`@vercel/oidc` has one built in), so it is
 * configuration and not made here. It belongs to no team: nobody can change it.
 */
export function createCommandLine({
  database,
  clock,
  audit,
}: {
  database: Database;
  clock: Clock;
  audit: Pick<Audit, 'record'>;
}) {
  const store = createAppStore(database, false);

  return {
    /** Makes the app, or brings it to what this version says of it. Of several nodes that start at once, one does. */
    async seed(id: string): Promise<void> {
      const before = await store.find(id);
      const now = clock.now();
      const app: App = {
        ...noClaims,
        ...fields,
        name,
        slug: `cli-${id.slice('cl_'.length).toLowerCase()}`,
        id,
        teamId: unownedTeamId,
        logo: undefined,
        firstParty: true,
        registration: 'built-in',
        expiresAt: undefined,
        createdAt: before?.createdAt ?? now,
        updatedAt: before === undefined ? now : Math.max(now, before.updatedAt + 1),
      };
      // Another app may have had the name first.
      if ((await store.findTaken(app)) === 'name') app.name = `${name} (${id.slice(-4)})`;
      validateApp(app);
      if (before !== undefined && isDeepStrictEqual({ ...before, updatedAt: app.updatedAt }, app)) return;
      await database.tryWrite([
        before === undefined ? store.insert(app) : store.update(app, before.updatedAt),
        audit.record({
          actor,
          action: before === undefined ? 'app.create' : 'app.update',
          object: id,
          before,
          after: app,
        }),
      ]);
    },
  };
}
