import { createBypassSecret, createId, isBypassSecret } from '@tessera/protocol';
import { LRUCache } from 'lru-cache';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import type { Limits } from '#limits';
import { equalInConstantTime, type Sealing } from '#sealing';
import { createAutomationBypassStore } from './automation-bypass-store.ts';
import { mostOfProject, tooMany, type AutomationBypass, type ShareLink } from './bypass.ts';
import { createBypassCookies } from './bypass-cookie.ts';
import { createGuesses } from './guesses.ts';
import { createShareLinkStore } from './share-link-store.ts';

export type BypassesNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  sealing: Pick<Sealing, 'mac'>;
  limits: Limits;
  /** Statement by which units that count what a project has go one after the other. */
  holdProject: (projectId: string) => Expected;
};

export type By = { actor: string; userId: string; teamId: string; reference: string };

/** What is said of a bypass secret when it is made. */
export type NewBypass = {
  secret?: string | undefined;
  note?: string | undefined;
  environments?: readonly string[] | undefined;
  pathPrefix?: string | undefined;
  expiresAt?: number | undefined;
};

/** What is left out stays; null takes a bound away. */
export type BypassChange = {
  note?: string | null | undefined;
  isEnvVar?: true | undefined;
  environments?: readonly string[] | null | undefined;
  pathPrefix?: string | null | undefined;
  expiresAt?: number | null | undefined;
};

export type Bypasses = ReturnType<typeof createBypasses>;

const markEveryMilliseconds = 60_000;

/** Ways past the protection: secrets for programs, links for people. */
export function createBypasses({ database, clock, audit, sealing, limits, holdProject }: BypassesNeeds) {
  const automation = createAutomationBypassStore(database);
  const shares = createShareLinkStore(database);
  const marked = new LRUCache<string, number>({ max: 10_000 });
  // Keyed, so that a secret that somebody chose cannot be tried out on a stolen table. Found by its hash, it is never
  // compared byte by byte.
  const hashOf = (kind: 'automation' | 'share', secret: string): string =>
    sealing.mac(`${kind}-bypass`, secret);

  /** A bypass of the project, named by its id or by the secret itself. Throws `not_found`. */
  async function getOfProject(projectId: string, idOrSecret: string): Promise<AutomationBypass> {
    const found = isBypassSecret(idOrSecret)
      ? await automation.findBySecret(projectId, hashOf('automation', idOrSecret))
      : await automation.find(projectId, idOrSecret);
    if (found === undefined) {
      throw publicError('not_found', { description: 'The project has no such bypass secret.' });
    }
    return found;
  }

  type Fields = Record<string, unknown>;
  const recorded = (
    action: string,
    object: string,
    { actor, teamId, reference }: By,
    fields: { before?: Fields; after?: Fields },
  ) => audit.record({ actor, action, object, teamId, reference, ...fields });

  return {
    cookies: createBypassCookies({ sealing, clock }),
    guesses: createGuesses({ database, limits, clock }),

    automation: {
      /** What a presented secret passes as at this project, now. */
      async verify(projectId: string, secret: string): Promise<AutomationBypass | undefined> {
        if (!isBypassSecret(secret)) return undefined;
        return automation.findLiveBySecret(projectId, hashOf('automation', secret));
      },
      findLive: automation.findLive,
      list: automation.list,

      /** Writes down, at most once a minute from here, that it was used. Nobody waits for it. */
      markUsed(id: string): void {
        const now = clock.now();
        if (now - (marked.get(id) ?? 0) < markEveryMilliseconds) return;
        marked.set(id, now);
        database.write([automation.touch(id)]).catch(() => marked.delete(id));
      },

      /** A new secret; the first of a project gets the mark. Throws `secret_taken`, `too_many_bypasses`. */
      async generate(
        projectId: string,
        asked: NewBypass,
        by: By,
      ): Promise<{ bypass: AutomationBypass; secret: string }> {
        const others = await automation.list(projectId);
        if (others.length >= mostOfProject) throw tooMany();
        const secret = asked.secret ?? createBypassSecret();
        const bypass: AutomationBypass = {
          id: createId('pbs'),
          projectId,
          note: asked.note,
          isEnvVar: others.length === 0,
          environments: asked.environments,
          pathPrefix: asked.pathPrefix,
          expiresAt: asked.expiresAt,
          lastUsedAt: undefined,
          createdAt: clock.now(),
          createdBy: by.userId,
          revision: 1,
        };
        const outcome = await database.tryWrite([
          holdProject(projectId),
          automation.insert(bypass, hashOf('automation', secret)),
          automation.keepWithin(bypass, mostOfProject),
          automation.unmarkSecond(bypass),
          recorded('protection-bypass.create', bypass.id, by, { after: auditedBypass(bypass) }),
        ]);
        if (!outcome.committed) {
          throw outcome.refusedAt === 0
            ? publicError('not_found')
            : outcome.refusedAt === 1
              ? publicError('secret_taken')
              : tooMany();
        }
        return { bypass, secret };
      },

      /**
       * Ends a secret; with `regenerate` a new one with its bounds takes its place in the same unit. Throws
       * `not_found`, and `bad_request` where the new one would be over too.
       */
      async revoke(
        projectId: string,
        idOrSecret: string,
        regenerate: boolean,
        by: By,
      ): Promise<{ bypass: AutomationBypass; secret: string } | undefined> {
        const before = await getOfProject(projectId, idOrSecret);
        if (regenerate && before.expiresAt !== undefined && before.expiresAt <= clock.now()) {
          throw publicError('bad_request', {
            description: `The secret expired at ${before.expiresAt}, and one in its place would have the same end.`,
            mend: "Give it a later 'expiresAt', or null, by \"update\" first; or revoke it without 'regenerate' and generate another.",
          });
        }
        const after: AutomationBypass = {
          ...before,
          id: createId('pbs'),
          lastUsedAt: undefined,
          createdAt: clock.now(),
          createdBy: by.userId,
          revision: 1,
        };
        const secret = createBypassSecret();
        const outcome = await database.tryWrite([
          holdProject(projectId),
          automation.delete(projectId, before.id),
          recorded('protection-bypass.revoke', before.id, by, { before: auditedBypass(before) }),
          ...(regenerate
            ? [
                automation.insert(after, hashOf('automation', secret)),
                automation.unmarkSecond(after),
                recorded('protection-bypass.create', after.id, by, {
                  after: { ...auditedBypass(after), inPlaceOf: before.id },
                }),
              ]
            : []),
        ]);
        if (!outcome.committed) throw publicError('changed_meanwhile');
        return regenerate ? { bypass: after, secret } : undefined;
      },

      /** Changes what is said of a secret. Throws `not_found`. */
      async update(projectId: string, idOrSecret: string, change: BypassChange, by: By): Promise<void> {
        const before = await getOfProject(projectId, idOrSecret);
        const { note, isEnvVar, environments, pathPrefix, expiresAt } = change;
        const after: AutomationBypass = {
          ...before,
          note: note === undefined ? before.note : (note ?? undefined),
          isEnvVar: isEnvVar ?? before.isEnvVar,
          environments: environments === undefined ? before.environments : (environments ?? undefined),
          pathPrefix: pathPrefix === undefined ? before.pathPrefix : (pathPrefix ?? undefined),
          expiresAt: expiresAt === undefined ? before.expiresAt : (expiresAt ?? undefined),
        };
        const outcome = await database.tryWrite([
          holdProject(projectId),
          automation.update(after),
          ...(isEnvVar === true ? [automation.unmarkOthers(after)] : [automation.unmarkSecond(after)]),
          recorded('protection-bypass.update', before.id, by, {
            before: auditedBypass(before),
            after: auditedBypass(after),
          }),
        ]);
        if (!outcome.committed) throw publicError('changed_meanwhile');
      },
    },

    shareLinks: {
      /** What a presented secret passes as at this host, now. */
      async verify(host: string, secret: string): Promise<ShareLink | undefined> {
        if (!isBypassSecret(secret)) return undefined;
        return shares.findLiveBySecret(host, hashOf('share', secret));
      },
      findLive: shares.findLive,
      findOfHost: shares.findOfHost,

      /** A new link for a host; the one before, and every cookie that came of it, ends in the same unit. */
      async generate(
        at: { host: string; projectId: string },
        expiresAt: number | undefined,
        by: By,
      ): Promise<{ link: ShareLink; secret: string }> {
        const before = await shares.findOfHost(at);
        const secret = createBypassSecret();
        const link: ShareLink = {
          ...at,
          id: createId('shl'),
          expiresAt,
          createdAt: clock.now(),
          createdBy: by.userId,
        };
        await database.write([
          shares.replace(link, hashOf('share', secret)),
          recorded('share-link.create', link.id, by, {
            ...(before === undefined ? {} : { before: auditedLink(before) }),
            after: auditedLink(link),
          }),
        ]);
        return { link, secret };
      },

      /** Ends the link of a host. Throws `not_found` when it is another one. */
      async revoke(at: { host: string; projectId: string }, idOrSecret: string, by: By): Promise<void> {
        const link = await shares.findOfHost(at);
        const isIt =
          link !== undefined &&
          (isBypassSecret(idOrSecret)
            ? equalInConstantTime(link.secretHash, hashOf('share', idOrSecret))
            : link.id === idOrSecret);
        if (!isIt) throw publicError('not_found', { description: 'The host has no such share link.' });
        const outcome = await database.tryWrite([
          shares.delete(at.host, link.id),
          recorded('share-link.revoke', link.id, by, { before: auditedLink(link) }),
        ]);
        if (!outcome.committed) throw publicError('changed_meanwhile');
      },
    },

    /** Statements that end every way past a project's protection, for the unit that deletes it. */
    endOfProject: ({ id }: { id: string }): readonly Bound<unknown>[] => [
      automation.deleteOfProject(id),
      shares.deleteOfProject(id),
    ],
  };
}

function auditedBypass(bypass: AutomationBypass): Record<string, unknown> {
  const { projectId, note, isEnvVar, environments, pathPrefix, expiresAt } = bypass;
  return {
    projectId,
    note: note ?? null,
    isEnvVar,
    environments: environments ?? null,
    pathPrefix: pathPrefix ?? null,
    expiresAt: expiresAt ?? null,
  };
}

function auditedLink({ id, host, projectId, expiresAt }: ShareLink): Record<string, unknown> {
  return { id, host, projectId, expiresAt: expiresAt ?? null };
}
