import {
  createApiTokenBody,
  permissionTable,
  type CreateApiToken,
  type Permission,
  type Role,
} from '@tessera/contract';
import { createId, createOpaqueToken, hasValidChecksum } from '@tessera/protocol';
import type { output } from 'zod';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { publicError } from '#errors';
import { hashSecret } from '#sealing';
import type { ApiToken } from './api-token.ts';
import { createApiTokenStore } from './api-token-store.ts';

/** What a person asks for in a session that has just been authenticated. */
export type NewApiToken = CreateApiToken & {
  userId: string;
  /** The reference of the request. */
  reference?: string | undefined;
};

export type ApiTokensNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  findMembership: (teamId: string, userId: string) => Promise<{ role: Role } | undefined>;
  findProject: (
    teamId: string,
    id: string,
  ) => Promise<{ id: string; name: string; environments: readonly string[] } | undefined>;
};

export type ApiTokens = ReturnType<typeof createApiTokens>;

/** What every API token begins with. */
const apiTokenPrefix = 'tess_';

const lastUsedStepMilliseconds = 60_000;

export function createApiTokens(needs: ApiTokensNeeds) {
  const { database, clock, audit, findMembership, findProject } = needs;
  const store = createApiTokenStore(database);

  return {
    /**
     * A new token; the text is given out this once. The caller has checked that the login is fresh. Throws
     * `bad_request` and `forbidden` for more than the person holds, `not_found` for a team or project not theirs.
     */
    async create({
      userId,
      reference,
      ...asked
    }: NewApiToken): Promise<{ apiToken: ApiToken; token: string }> {
      const input = parseInput(asked);
      await validateGrant(userId, input);
      const token = createOpaqueToken(apiTokenPrefix);
      const now = clock.now();
      const apiToken: ApiToken = {
        id: createId('tok'),
        userId,
        teamId: input.teamId,
        name: input.name,
        last4: token.slice(-4),
        permissions: input.permissions,
        projectIds: input.projectIds,
        builds: input.builds,
        freshUntil: input.permissions === 'role' ? now + input.freshForSeconds * 1_000 : 0,
        createdAt: now,
        expiresAt: now + input.lifetimeSeconds * 1_000,
        lastUsedAt: undefined,
      };
      await database.write([
        store.insert(apiToken, hashSecret(token)),
        audit.record({
          actor: userId,
          action: 'api-token.create',
          object: apiToken.id,
          teamId: apiToken.teamId,
          after: {
            name: apiToken.name,
            permissions: apiToken.permissions,
            projectIds: apiToken.projectIds,
            builds: apiToken.builds,
            expiresAt: apiToken.expiresAt,
          },
          reference,
        }),
      ]);
      return { apiToken, token };
    },

    /** The live token that a bearer presents. Its use is written down at most once a minute. */
    async authenticate(token: string): Promise<ApiToken | undefined> {
      if (!hasValidChecksum(token, apiTokenPrefix)) return undefined;
      const found = await store.findLive(hashSecret(token));
      if (found === undefined) return undefined;
      const now = clock.now();
      const before = now - lastUsedStepMilliseconds;
      if ((found.lastUsedAt ?? 0) < before) {
        // A missed note of the use is no reason to refuse it, and nobody waits for a commit.
        database.tryWrite([store.touch(found.id, now, before)]).catch(() => undefined);
      }
      return found;
    },

    /** Whether somebody revoked a token, or there is none of this id. */
    isRevoked: (id: string): Promise<boolean> => store.isRevoked(id),

    /** A person's tokens, the newest first; not the revoked ones. */
    listForUser: (userId: string): Promise<ApiToken[]> => store.listOfUser(userId),

    /** Ends a token at once. Throws `not_found` when the person has no such token. */
    async revoke(userId: string, id: string, reference?: string): Promise<void> {
      const token = (await store.listOfUser(userId)).find((own) => own.id === id);
      const outcome = await database.tryWrite([
        store.revoke(userId, id, clock.now()),
        audit.record({
          actor: userId,
          action: 'api-token.revoke',
          object: id,
          teamId: token?.teamId,
          reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },
  };

  async function validateGrant(userId: string, input: output<typeof createApiTokenBody>): Promise<void> {
    const { teamId, permissions, projectIds, builds } = input;
    if (teamId === undefined) {
      if (permissions === 'role' && projectIds.length === 0 && builds.length === 0) return;
      throw publicError('bad_request', {
        description: "'teamId' is missing: a token with permissions, projects or builds is for one team.",
      });
    }
    const membership = await findMembership(teamId, userId);
    if (membership === undefined) throw publicError('not_found');
    if (permissionTable['api-token:write'][membership.role] === 'no') {
      throw publicError('forbidden', {
        description: `Your role "${membership.role}" in this team makes no tokens for it.`,
      });
    }
    if (permissions === 'role') {
      if (projectIds.length > 0) {
        throw publicError('bad_request', {
          description: "'projectIds' narrow listed permissions, not a role.",
        });
      }
    } else {
      if (permissions.length === 0 && builds.length === 0) {
        throw publicError('bad_request', { description: 'A token that may do nothing is not made.' });
      }
      for (const permission of permissions) validatePermission(permission, membership.role, projectIds);
    }
    if (builds.length > 0 && membership.role !== 'owner') {
      throw publicError('forbidden', { description: 'Only an owner of the team lets a token build.' });
    }
    for (const id of projectIds) await getProject(teamId, id);
    for (const { projectId, environment } of builds) {
      const project = await getProject(teamId, projectId);
      if (environment === 'development' || !project.environments.includes(environment)) {
        throw publicError('unknown_environment', {
          description: `Nothing is built for the environment "${environment}" of the project "${project.name}".`,
        });
      }
    }
  }

  async function getProject(teamId: string, id: string) {
    const project = await findProject(teamId, id);
    // By name as well, but what is kept is an id: a name may come to mean nothing.
    if (project === undefined || project.id !== id) {
      throw publicError('not_found', { description: `The team has no project with the id "${id}".` });
    }
    return project;
  }
}

/** Nobody grants what they do not hold, nor what the table gives to no token. */
function validatePermission(permission: Permission, role: Role, projectIds: readonly string[]): void {
  const row = permissionTable[permission];
  if (row.grant !== 'if-given' && row.grant !== 'per-project') {
    throw publicError('bad_request', {
      description: `The permission "${permission}" cannot be given to a token.`,
    });
  }
  if (row[role] !== 'may' && row[role] !== 'fresh') {
    throw publicError('forbidden', {
      description: `You do not hold "${permission}" yourself, so you cannot give it.`,
    });
  }
  if (row.grant === 'per-project' && projectIds.length === 0) {
    throw publicError('bad_request', {
      description: `'projectIds' is empty: "${permission}" is given for named projects.`,
    });
  }
}

function parseInput(asked: CreateApiToken): output<typeof createApiTokenBody> {
  const result = createApiTokenBody.safeParse(asked);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `'${path.join('.')}': ${message}`);
  throw publicError('bad_request', { description: faults.join('. ') });
}
