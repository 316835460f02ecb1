import {
  createId,
  createOpaqueToken,
  hasValidChecksum,
  randomBase62,
  type WireNames,
} from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import { equalInConstantTime, hashSecret } from '#sealing';
import {
  defaultAppFields,
  noClaims,
  unownedTeamId,
  type App,
  type AppAbout,
  type NewAppFields,
} from './app.ts';
import { validateApp } from './app-rules.ts';
import { createAppRegistrationStore } from './app-registration-store.ts';
import type { PrepareSecret } from './app-secrets.ts';
import { createAppStore } from './app-store.ts';

export type AppRegistrationsNeeds = {
  database: Database;
  clock: Clock;
  audit: Pick<Audit, 'record'>;
  changes: Pick<Changes, 'note'>;
  wire: WireNames;
  prepareSecret: PrepareSecret;
};

/** What a client brings of itself, translated into the fields of an app. */
export type SelfRegistration = { fields: Omit<NewAppFields, 'slug'>; about: AppAbout };

export type Registered = {
  app: App;
  /** In the clear, for this once; undefined for a client without a secret. */
  clientSecret: string | undefined;
};

export type AppRegistrations = ReturnType<typeof createAppRegistrations>;

const needsSecret = (app: Pick<App, 'tokenEndpointAuthMethods'>): boolean =>
  app.tokenEndpointAuthMethods.some((method) => method.startsWith('client_secret_'));

/** Such a secret is stored in another way, so it cannot be one that was made before. */
const isSealed = (app: Pick<App, 'tokenEndpointAuthMethods'>): boolean =>
  app.tokenEndpointAuthMethods.includes('client_secret_jwt');

/**
 * Apps that register themselves: by a call (RFC 7591), or by being an address that a metadata document is read
 * from. They belong to no team, are unverified, and end.
 */
export function createAppRegistrations(needs: AppRegistrationsNeeds) {
  const { database, clock, audit, changes, wire, prepareSecret } = needs;
  const store = createAppRegistrationStore(database);
  const appStore = createAppStore(database, true);

  function appOf(
    { fields, about }: SelfRegistration,
    more: Pick<App, 'id' | 'registration' | 'expiresAt'>,
  ): App {
    const now = clock.now();
    const app: App = {
      ...defaultAppFields,
      ...noClaims,
      ...fields,
      ...more,
      about,
      teamId: unownedTeamId,
      slug: `self-${randomBase62(24).toLowerCase()}`,
      logo: undefined,
      firstParty: false,
      createdAt: now,
      updatedAt: now,
    };
    validateApp(app);
    return app;
  }

  const recorded = (action: string, app: App, reference: string, before?: App) =>
    audit.record({ actor: app.id, action, object: app.id, before, after: app, reference });

  return {
    /**
     * Registers a client. `order` goes first and must make registrations wait for each other, so that the quota
     * holds whatever runs in parallel. Throws `invalid_app`, or `registration_quota` when there are `most` clients
     * already; undefined when `order` was refused.
     */
    async register(
      registration: SelfRegistration,
      terms: { most: number; lifetimeMilliseconds: number; order: Expected; reference: string },
    ): Promise<(Registered & { registrationToken: string }) | undefined> {
      const expiresAt = clock.now() + terms.lifetimeMilliseconds;
      const app = appOf(registration, { id: createId('cl'), registration: 'dynamic', expiresAt });
      const registrationToken = createOpaqueToken(wire.registrationTokenPrefix);
      const prepared = needsSecret(app) ? await prepareSecret(app, expiresAt) : undefined;
      const outcome = await database.tryWrite([
        terms.order,
        store.insertWithin(app, terms.most),
        store.insertToken(app.id, hashSecret(registrationToken)),
        ...(prepared?.statements ?? []),
        recorded('app.register', app, terms.reference),
      ]);
      if (outcome.committed) return { app, clientSecret: prepared?.clientSecret, registrationToken };
      if (outcome.refusedAt === 0) return undefined;
      throw publicError('registration_quota');
    },

    /** The client that a registration access token is for; undefined when it is not for this one. */
    async authenticate(clientId: string, registrationToken: string): Promise<App | undefined> {
      if (!hasValidChecksum(registrationToken)) return undefined;
      const found = await store.findWithToken(clientId);
      if (found === undefined) return undefined;
      return equalInConstantTime(found.tokenHash, hashSecret(registrationToken)) ? found.app : undefined;
    },

    /** Replaces what a client said of itself, and lets it live anew. Throws `invalid_app` or `app_changed`. */
    async replace(
      app: App,
      { fields, about }: SelfRegistration,
      terms: { lifetimeMilliseconds: number; reference: string },
    ): Promise<Registered> {
      const now = clock.now();
      const expiresAt = now + terms.lifetimeMilliseconds;
      const changed: App = {
        ...app,
        ...defaultAppFields,
        ...fields,
        about,
        expiresAt,
        updatedAt: Math.max(now, app.updatedAt + 1),
      };
      validateApp(changed);
      const secrets = await appStore.listSecrets(app.id);
      // A secret that the client has goes on; one that it never had is made, one that it needs no more ends.
      const keepsSecret =
        needsSecret(changed) && needsSecret(app) && secrets.length > 0 && isSealed(app) === isSealed(changed);
      const prepared =
        needsSecret(changed) && !keepsSecret ? await prepareSecret(changed, expiresAt) : undefined;
      const outcome = await database.tryWrite([
        appStore.update(changed, app.updatedAt),
        ...(keepsSecret ? [store.extendSecrets(app.id, expiresAt)] : [store.deleteSecrets(app.id)]),
        ...(prepared?.statements ?? []),
        recorded('app.update', changed, terms.reference, app),
        changes.note('apps'),
      ]);
      if (!outcome.committed) throw publicError('app_changed');
      return { app: changed, clientSecret: prepared?.clientSecret };
    },

    /** Ends a registration; `also` goes into the same unit (the end of its tokens). */
    async delete(app: App, also: readonly Bound<unknown>[], reference: string): Promise<void> {
      await database.tryWrite([
        ...appStore.delete(app.id),
        store.deleteToken(app.id),
        ...also,
        audit.record({ actor: app.id, action: 'app.delete', object: app.id, before: app, reference }),
        changes.note('apps'),
      ]);
    },

    /** Writes down the client that a metadata document describes. Throws `invalid_app`. */
    async putDocument(
      clientId: string,
      registration: SelfRegistration,
      terms: { freshUntil: number; lifetimeMilliseconds: number; reference: string },
    ): Promise<App> {
      const expiresAt = clock.now() + terms.lifetimeMilliseconds;
      const app: App = {
        ...appOf(registration, { id: clientId, registration: 'metadata-document', expiresAt }),
        documentFreshUntil: terms.freshUntil,
      };
      await database.write([
        store.put(app),
        recorded('app.register', app, terms.reference),
        changes.note('apps'),
      ]);
      return app;
    },

    deleteExpired: store.deleteExpired,
  };
}
