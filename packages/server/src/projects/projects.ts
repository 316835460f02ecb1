import type { OidcTokenConfig, PassportSetting } from '@tessera/contract';
import { createId, isId } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import { defaultOidcTokenConfig, ownEnvironments, standardEnvironments, type Project } from './project.ts';
import { createProjectStore, type ProjectPage } from './project-store.ts';

/** What a project is made in. */
export type OwningTeam = {
  id: string;
  defaultPassport?: Pick<PassportSetting, 'connectorId' | 'deploymentType'> | undefined;
};

export type ProjectChange = {
  name?: string | undefined;
  /** All environments that the project has afterwards, beside the standard ones. */
  environments?: readonly string[] | undefined;
  /** Null switches Passport off. */
  passport?: PassportSetting | null | undefined;
  /** What is left out stays. */
  oidcTokenConfig?: { [Field in keyof OidcTokenConfig]?: OidcTokenConfig[Field] | undefined } | undefined;
};

export type By = { actor: string; reference?: string | undefined };

export type ProjectsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  /** What other rooms end together with a project: deployments, visitors' sessions. */
  endOf?: readonly ((project: { id: string; teamId: string }) => readonly (Bound<unknown> | Expected)[])[];
};

export type Projects = ReturnType<typeof createProjects>;

const attempts = 5;
const everyProject = 1_000_000;
const inheritedSessionLifetimeSeconds = 12 * 3_600;

export function createProjects({ database, clock, audit, endOf = [] }: ProjectsNeeds) {
  const store = createProjectStore(database);

  const find = (teamId: string, idOrName: string) =>
    // A name never begins like an id.
    isId('prj', idOrName) ? store.find(teamId, idOrName) : store.findByName(teamId, idOrName);

  return {
    /** By id or by name, in the team alone. */
    find: (teamId: string, idOrName: string): Promise<Project | undefined> => find(teamId, idOrName),
    list: (teamId: string, page: ProjectPage = { limit: 100 }): Promise<Project[]> =>
      store.list(teamId, page),

    /** The names of the projects whose Passport setting names the connector. */
    async listNamesWithConnector(teamId: string, connectorId: string): Promise<string[]> {
      const protectedOnes = await store.list(teamId, { passport: 'enabled', limit: everyProject });
      return protectedOnes
        .filter(({ passport }) => passport?.connectorId === connectorId)
        .map(({ name }) => name);
    },

    /** A new project; it inherits the team's Passport default. Throws `name_taken`. */
    async create(team: OwningTeam, name: string, by: By): Promise<Project> {
      const now = clock.now();
      const project: Project = {
        id: createId('prj'),
        teamId: team.id,
        name,
        environments: standardEnvironments,
        passport: team.defaultPassport && {
          connectorId: team.defaultPassport.connectorId,
          deploymentType: team.defaultPassport.deploymentType,
          sessionLifetimeSeconds: inheritedSessionLifetimeSeconds,
          policy: 'everyone',
        },
        oidcTokenConfig: defaultOidcTokenConfig,
        createdAt: now,
        updatedAt: now,
      };
      const outcome = await database.tryWrite([
        store.claimName(project, now),
        store.insert(project),
        audit.record({
          actor: by.actor,
          action: 'project.create',
          object: project.id,
          teamId: team.id,
          after: { name, passport: project.passport ?? null },
          reference: by.reference,
        }),
      ]);
      if (!outcome.committed) throw nameTaken(name);
      return project;
    },

    /**
     * Changes what is given and keeps the rest. Throws `not_found`, `name_taken` (also for an environment that was
     * deleted) and `changed_meanwhile`.
     */
    async update(teamId: string, idOrName: string, change: ProjectChange, by: By): Promise<Project> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const before = await find(teamId, idOrName);
        if (before === undefined) throw publicError('not_found');
        const after = { ...before, ...changed(before, change), updatedAt: clock.now() };
        const added = after.environments.filter((name) => !before.environments.includes(name));
        const isRenamed = after.name !== before.name;
        const outcome = await database.tryWrite([
          store.update(after),
          ...(isRenamed ? [store.claimName(after, after.updatedAt)] : []),
          ...added.map((name) => store.claimEnvironment(after.id, name, after.updatedAt)),
          audit.record({
            actor: by.actor,
            action: 'project.update',
            object: after.id,
            teamId,
            before: fieldsOf(before, change),
            after: fieldsOf(after, change),
            reference: by.reference,
          }),
        ]);
        if (outcome.committed) return after;
        if (outcome.refusedAt === 0) continue;
        if (isRenamed && outcome.refusedAt === 1) throw nameTaken(after.name);
        throw environmentTaken(added[outcome.refusedAt - (isRenamed ? 2 : 1)] ?? '');
      }
      throw publicError('changed_meanwhile');
    },

    /** Deletes a project with all that other rooms keep of it; its name stays taken. Throws `not_found`. */
    async delete(teamId: string, idOrName: string, by: By): Promise<void> {
      const project = await find(teamId, idOrName);
      if (project === undefined) throw publicError('not_found');
      const outcome = await database.tryWrite([
        store.delete(teamId, project.id),
        ...endOf.flatMap((end) => end(project)),
        audit.record({
          actor: by.actor,
          action: 'project.delete',
          object: project.id,
          teamId,
          before: { name: project.name },
          reference: by.reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },
  };
}

function changed(before: Project, change: ProjectChange): Partial<Project> {
  const { name, environments, passport, oidcTokenConfig } = change;
  return {
    ...(name === undefined ? {} : { name }),
    ...(environments === undefined
      ? {}
      : { environments: [...standardEnvironments, ...ownEnvironments(environments)] }),
    ...(passport === undefined ? {} : { passport: passport ?? undefined }),
    ...(oidcTokenConfig === undefined
      ? {}
      : { oidcTokenConfig: mergedTokenConfig(before.oidcTokenConfig, oidcTokenConfig) }),
  };
}

function mergedTokenConfig(
  before: OidcTokenConfig,
  change: NonNullable<ProjectChange['oidcTokenConfig']>,
): OidcTokenConfig {
  return {
    enabled: change.enabled ?? before.enabled,
    issuerMode: change.issuerMode ?? before.issuerMode,
    subjectForm: change.subjectForm ?? before.subjectForm,
    audiences: change.audiences === undefined ? before.audiences : [...new Set(change.audiences)],
  };
}

/** The fields of a change as they were, or are: null where there was, or is, nothing. */
function fieldsOf(project: Project, change: ProjectChange): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(change).map((field) => [field, project[field as keyof ProjectChange] ?? null]),
  );
}

function nameTaken(name: string) {
  return publicError('name_taken', {
    description: `The name "${name}" belongs, or once belonged, to another project of the team.`,
  });
}

function environmentTaken(name: string) {
  return publicError('name_taken', {
    description: `The project once had an environment "${name}", which was deleted.`,
  });
}
