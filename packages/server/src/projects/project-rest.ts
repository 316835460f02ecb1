import { getRoute, pageOf, type DeploymentType, type ProjectDocument, type Rename } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { QueueFull } from '#passwords';
import type { Project } from './project.ts';
import type { OwningTeam, ProjectChange, Projects } from './projects.ts';
import { readableProtection } from './protection-settings.ts';
import { validateTrustedSources, type TrustedSourcesInputNeeds } from './trusted-sources-input.ts';

export type ProjectRestNeeds = {
  projects: Projects;
  findTeam: (teamId: string) => Promise<OwningTeam | undefined>;
  /** The connector, if it is the team's. */
  findConnector: (teamId: string, connectorId: string) => Promise<{ id: string } | undefined>;
  /** Refuses an issuer that nobody would fetch from; and which issuers are our own. */
  issuers: Pick<TrustedSourcesInputNeeds, 'validateUrl' | 'oidc'>;
  /** Throws `QueueFull` when too many wait. */
  hashPassword: (password: string) => Promise<string>;
  /** Whose a host is, or was. */
  findHostOwner: (host: string) => Promise<{ projectId: string } | undefined>;
  /** What a new name breaks; undefined when it is none. */
  describeRename: (teamId: string, idOrName: string, name: string | undefined) => Promise<Rename | undefined>;
  /** Base URLs of this service: tokens for them could be played back to us. */
  ownUrls: readonly string[];
};

/** REST doors of projects. */
export function createProjectRest({
  projects,
  findTeam,
  findConnector,
  findHostOwner,
  hashPassword,
  describeRename,
  issuers,
  ownUrls,
}: ProjectRestNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('projects.create'), async ({ team, body, caller, reference }) => {
      const owner = await findTeam(team.id);
      if (owner === undefined) throw publicError('not_found');
      // A team that lost Passport keeps its default for the day it comes back; until then nothing inherits it.
      const inherits = team.passportEnabled ? owner : { id: owner.id };
      return documentOf(await projects.create(inherits, body.name, { actor: caller.id, reference }));
    }),

    restDoor(getRoute('projects.list'), async ({ team, query, authorize }) => {
      // Whether a project is in the list says as much as its setting does.
      if (query.passport !== undefined) authorize('passport:read', {});
      const found = await projects.list(team.id, {
        passport: query.passport,
        after: query.cursor,
        limit: query.limit + 1,
      });
      const { rows, pagination } = pageOf(found, query.limit);
      return { projects: rows.map(documentOf), pagination };
    }),

    restDoor(getRoute('projects.get'), async ({ team, params }) => {
      const project = await projects.find(team.id, params.idOrName);
      if (project === undefined) throw publicError('not_found');
      return documentOf(project);
    }),

    restDoor(getRoute('projects.update'), async ({ team, params, query, body, caller, reference }) => {
      const connectorId = body.passport?.connectorId;
      if (connectorId !== undefined && (await findConnector(team.id, connectorId)) === undefined) {
        throw unknownConnector(connectorId);
      }
      const own = body.oidcTokenConfig?.audiences?.find((audience) => isOwnAddress(audience, ownUrls));
      if (own !== undefined) {
        throw publicError('bad_request', {
          description: `'oidcTokenConfig.audiences': "${own}" is an address of this service itself.`,
          mend: 'Leave it out: tokens for our own addresses are made without being asked for.',
        });
      }
      await validateExceptions(team.id, params.idOrName, body.protectionExceptions ?? []);
      if (body.trustedSources != null) {
        const findProject = (id: string) => projects.find(team.id, id);
        await validateTrustedSources(body.trustedSources, { ...issuers, findProject });
      }
      const { passwordProtection, ...others } = body;
      const change =
        passwordProtection === undefined
          ? others
          : { ...others, passwordProtection: await withHash(passwordProtection) };
      const rename = await describeRename(team.id, params.idOrName, body.name);
      const by = { actor: caller.id, reference, rename };
      const after = query.dryRun
        ? await projects.preview(team.id, params.idOrName, change)
        : await projects.update(team.id, params.idOrName, change, by);
      return { ...documentOf(after), ...(rename === undefined ? {} : { rename }) };
    }),

    restDoor(getRoute('passport.assign'), async ({ team, body, caller, reference }) => {
      const { connectorId, deploymentType, projectIds, preview } = body;
      if ((await findConnector(team.id, connectorId)) === undefined) throw unknownConnector(connectorId);
      const by = { actor: caller.id, reference, preview };
      const assigned = { connectorId, deploymentType };
      const { changes, unchanged } = await projects.assignPassport(team.id, assigned, projectIds, by);
      return {
        isPreview: preview,
        changes: changes.map(({ before, after }) => ({
          projectId: after.id,
          name: after.name,
          before: before.passport ?? null,
          after: after.passport ?? null,
        })),
        unchanged: unchanged.map(({ id, name }) => ({ projectId: id, name })),
      };
    }),

    restDoor(getRoute('passport.usage'), ({ team, query }) => projects.passportUsage(team.id, query.month)),

    restDoor(getRoute('projects.delete'), async ({ team, params, caller, reference }) => {
      await projects.delete(team.id, params.idOrName, { actor: caller.id, reference });
    }),
  ];

  async function hashOf(password: string): Promise<string> {
    try {
      return await hashPassword(password);
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      throw publicError('password_queue_full', { headers: { 'retry-after': '2' }, cause: error });
    }
  }

  async function withHash(
    setting: { deploymentType: DeploymentType; password?: string | undefined } | null,
  ): Promise<ProjectChange['passwordProtection']> {
    if (setting === null) return null;
    const { deploymentType, password } = setting;
    return {
      deploymentType,
      ...(password === undefined ? {} : { passwordHash: await hashOf(password) }),
    };
  }

  /** A host is opened to everyone only by somebody who types it twice, and by its own project alone. */
  async function validateExceptions(
    teamId: string,
    idOrName: string,
    exceptions: readonly { host: string; confirm?: string | undefined }[],
  ): Promise<void> {
    if (exceptions.length === 0) return;
    const project = await projects.find(teamId, idOrName);
    if (project === undefined) throw publicError('not_found');
    for (const { host, confirm } of exceptions) {
      if (project.protection.protectionExceptions?.includes(host)) continue;
      if ((await findHostOwner(host))?.projectId !== project.id) {
        throw publicError('bad_request', {
          description: `'protectionExceptions': "${host}" is no host of a deployment of this project.`,
          mend: 'Name a host that one of its deployments was created with.',
        });
      }
      if (confirm !== host) {
        throw publicError('confirmation_needed', {
          description: `"${host}" would be open to everyone. Expected it again as "confirm", ${confirm === undefined ? 'which is missing' : `received "${confirm}"`}.`,
        });
      }
    }
  }
}

function unknownConnector(id: string) {
  return publicError('unknown_connector', {
    description: `The team has no identity provider application "${id}".`,
  });
}

/** Compared as URLs, so that another spelling of our address is seen as ours. */
function isOwnAddress(audience: string, ownUrls: readonly string[]): boolean {
  const url = URL.parse(audience);
  return url !== null && ownUrls.some((own) => URL.parse(own)?.host === url.host);
}

function documentOf(project: Project): ProjectDocument {
  return {
    id: project.id,
    teamId: project.teamId,
    name: project.name,
    environments: [...project.environments],
    passport: project.passport ?? null,
    ...readableProtection(project.protection),
    oidcTokenConfig: project.oidcTokenConfig,
    createdAt: project.createdAt,
    updatedAt: project.updatedAt,
  };
}
