import type { NamedTrust } from '@tessera/contract';
import { createId, isId, randomBase62, type WireNames } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import {
  changesUnderMark,
  defaultAppFields,
  noClaims,
  slugFromName,
  type App,
  type AppFields,
  type AppSecret,
  type NewAppFields,
} from './app.ts';
import { invalidApp, validateApp } from './app-rules.ts';
import { createPrepareSecret, mostSecrets, sealingPurpose, type PrepareSecret } from './app-secrets.ts';
import { createAppStore, type AppWithSecrets, type LiveSecret } from './app-store.ts';
import { createResourceOriginStore, resourceOriginsOf } from './resource-origin-store.ts';

const useNotedEveryMilliseconds = 60_000;
const mostRemembered = 1_000;

export type AppsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  changes: Changes;
  sealing: Pick<Sealing, 'seal' | 'open'>;
  wire: WireNames;
  /** Whether the address of a metadata document is an id of an app. */
  clientIdDocuments: boolean;
};

/** Who changes an app, for the audit log. */
export type AppActor = { id: string; reference?: string };

export type Apps = {
  find(id: string): Promise<App | undefined>;
  /** Throws `invalid_app` (a rule is broken), `app_name_taken` or `resource_taken`. */
  create(teamId: string, fields: NewAppFields, actor: AppActor): Promise<App>;
  /**
   * Changes only the given fields. The first-party mark ends with a change of what it was given for. Throws
   * `invalid_app`, `app_name_taken`, `resource_taken`, or `app_changed` when it changed meanwhile.
   */
  update(app: App, fields: Partial<AppFields & Pick<App, 'firstParty'>>, actor: AppActor): Promise<App>;
  /** Deletes the app with its secrets; `also` goes into the same unit (the end of its tokens). */
  delete(app: App, also: readonly Bound<unknown>[], actor: AppActor): Promise<void>;
  /** A new secret, in the clear for this once. Throws `too_many_secrets` when two are active. */
  createSecret(
    app: App,
    expiresAt: number | undefined,
    actor: AppActor,
  ): Promise<{ secret: AppSecret; clientSecret: string }>;
  /** A new secret for a unit of somebody else's. */
  prepareSecret: PrepareSecret;
  /** Throws `not_found`. */
  deleteSecret(app: App, secretId: string, actor: AppActor): Promise<void>;
  /** The apps of a team that name one of the projects, and where. */
  listTrust(teamId: string, projectIds: readonly string[]): Promise<NamedTrust[]>;
  listSecrets(appId: string): Promise<AppSecret[]>;
  /** An app with the secrets that may be presented now, as hashes. Remembered: for those who only look. */
  findWithSecrets(id: string): Promise<AppWithSecrets | undefined>;
  /** An app as it is remembered, for those who only look. */
  findRemembered(id: string): Promise<App | undefined>;
  /** The secret itself, for `client_secret_jwt`; undefined for one that was made while the app did not use that. */
  openSecret(secret: LiveSecret): Promise<string | undefined>;
  /** Notes that a secret was used, at most once a minute: an authentication is not to be a write. */
  noteSecretUse(secret: LiveSecret): Promise<void>;
};

export function createApps(needs: AppsNeeds): Apps {
  const { database, clock, audit, changes, sealing, wire, clientIdDocuments } = needs;
  const store = createAppStore(database, clientIdDocuments);
  const resourceOrigins = createResourceOriginStore(database);
  // Every request of a client asks for it: remembering takes 0.7 µs for each instead of 7 to 13.
  const findWithSecrets = changes.remember('apps', mostRemembered, store.findWithSecrets);
  const prepareSecret = createPrepareSecret({ store, clock, sealing, wire });

  /** A unit that lost a race about a name gets the same answer as one that came late. */
  async function refuseTaken(app: App): Promise<void> {
    const taken = await store.findTaken(app);
    if (taken !== undefined) {
      throw publicError('app_name_taken', {
        description: `${taken}: "${app[taken]}" belongs to another app.`,
      });
    }
  }

  const claim = (app: App, origins: readonly string[]) =>
    origins.map((origin) => resourceOrigins.claim(origin, app.teamId));

  /** The claims stand right behind the app's own statement. */
  function refuseClaimed(refusedAt: number, origins: readonly string[]): void {
    const origin = origins[refusedAt - 1];
    if (origin === undefined) return;
    throw publicError('resource_taken', {
      description: `resources or protectedResources: Received a URI of ${origin.slice(0, 200)}, which an app of another team lists.`,
    });
  }

  async function freeSlug(app: App): Promise<string> {
    const taken = await store.findTaken(app);
    return taken === undefined || taken === 'name'
      ? app.slug
      : `${app.slug}-${randomBase62(5).toLowerCase()}`;
  }

  const recordUnmark = (app: App, changed: readonly string[], actor: AppActor) =>
    audit.record({
      actor: actor.id,
      action: 'app.unmark',
      object: app.id,
      teamId: app.teamId,
      before: { firstParty: true },
      after: { firstParty: false, changed },
      reference: actor.reference,
    });

  return {
    find: store.find,
    listSecrets: store.listSecrets,
    findWithSecrets,
    findRemembered: async (id) => (await findWithSecrets(id))?.app,

    async listTrust(teamId, projectIds) {
      const settings = ['redirectProjects', 'linkedProjects'] as const;
      return (await store.listOfTeam(teamId)).flatMap(({ id, name, ...fields }) =>
        settings
          .filter((setting) => fields[setting].some(({ projectId }) => projectIds.includes(projectId)))
          .map((setting) => ({ kind: 'app' as const, id, name, setting, breaks: false })),
      );
    },

    prepareSecret,

    async create(teamId, fields, actor) {
      const now = clock.now();
      const slug = fields.slug ?? slugFromName(fields.name);
      const app: App = {
        ...defaultAppFields,
        ...noClaims,
        ...fields,
        slug,
        id: createId('cl'),
        teamId,
        logo: undefined,
        firstParty: false,
        registration: 'dashboard',
        expiresAt: undefined,
        createdAt: now,
        updatedAt: now,
      };
      validateApp(app);
      if (fields.slug === undefined) app.slug = await freeSlug(app);
      await refuseTaken(app);
      const origins = resourceOriginsOf(app);
      const outcome = await database.tryWrite([
        store.insert(app),
        ...claim(app, origins),
        audit.record({
          actor: actor.id,
          action: 'app.create',
          object: app.id,
          teamId,
          after: app,
          reference: actor.reference,
        }),
      ]);
      if (!outcome.committed) {
        refuseClaimed(outcome.refusedAt, origins);
        await refuseTaken(app);
        throw publicError('app_changed', { description: 'The app could not be stored.' });
      }
      return app;
    },

    async update(app, fields, actor) {
      // `updatedAt` is the version that the statement asks for: it must never be the same twice.
      const changed: App = { ...app, ...fields, updatedAt: Math.max(clock.now(), app.updatedAt + 1) };
      const unseen = changesUnderMark(app, changed);
      if (unseen.length > 0) changed.firstParty = false;
      validateApp(changed);
      await refuseTaken(changed);
      const known = resourceOriginsOf(app);
      const origins = resourceOriginsOf(changed).filter((origin) => !known.includes(origin));
      const outcome = await database.tryWrite([
        store.update(changed, app.updatedAt),
        ...claim(changed, origins),
        audit.record({
          actor: actor.id,
          action: 'app.update',
          object: app.id,
          teamId: app.teamId,
          before: app,
          after: changed,
          reference: actor.reference,
        }),
        ...(unseen.length === 0 ? [] : [recordUnmark(app, unseen, actor)]),
        changes.note('apps'),
      ]);
      if (!outcome.committed) {
        refuseClaimed(outcome.refusedAt, origins);
        await refuseTaken(changed);
        throw publicError('app_changed', {
          description: `App ${app.id} was changed by somebody else meanwhile.`,
        });
      }
      return changed;
    },

    async delete(app, also, actor) {
      const outcome = await database.tryWrite([
        ...store.delete(app.id),
        ...also,
        audit.record({
          actor: actor.id,
          action: 'app.delete',
          object: app.id,
          teamId: app.teamId,
          before: app,
          reference: actor.reference,
        }),
        changes.note('apps'),
      ]);
      if (!outcome.committed) throw publicError('not_found', { description: `There is no app ${app.id}.` });
    },

    async createSecret(app, expiresAt, actor) {
      const now = clock.now();
      if (expiresAt !== undefined && expiresAt <= now) {
        throw invalidApp(
          'expiresAt',
          `Received ${expiresAt}, which is past.`,
          'Give a time to come, in milliseconds.',
        );
      }
      const { secret, clientSecret, statements } = await prepareSecret(app, expiresAt);
      const outcome = await database.tryWrite([
        ...statements,
        audit.record({
          actor: actor.id,
          action: 'app-secret.create',
          object: app.id,
          teamId: app.teamId,
          after: secret,
          reference: actor.reference,
        }),
        changes.note('apps'),
      ]);
      if (outcome.committed) return { secret, clientSecret };
      if (outcome.refusedAt === 0)
        throw publicError('not_found', { description: `There is no app ${app.id}.` });
      throw publicError('too_many_secrets', {
        description: `App ${app.id} has ${mostSecrets} active secrets.`,
      });
    },

    async deleteSecret(app, secretId, actor) {
      const unknown = () => publicError('not_found', { description: `App ${app.id} has no such secret.` });
      if (!isId('sec', secretId)) throw unknown();
      const outcome = await database.tryWrite([
        store.deleteSecret(app.id, secretId),
        audit.record({
          actor: actor.id,
          action: 'app-secret.delete',
          object: app.id,
          teamId: app.teamId,
          before: { id: secretId },
          reference: actor.reference,
        }),
        changes.note('apps'),
      ]);
      if (!outcome.committed) throw unknown();
    },

    openSecret: async ({ id, sealed }) =>
      sealed === undefined ? undefined : sealing.open(sealingPurpose, sealed, id),

    async noteSecretUse(secret) {
      const now = clock.now();
      if (now - (secret.lastUsedAt ?? 0) < useNotedEveryMilliseconds) return;
      // The remembered one too: until it is read again, others would note the same.
      secret.lastUsedAt = now;
      await database.write([store.noteUse(secret.id, now)]);
    },
  };
}
