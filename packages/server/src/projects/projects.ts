import type { OidcTokenConfig, PassportChange, PassportSetting, Rename } from '@tessera/contract';
import { createId, isId, platformConnectorId } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import { defaultOidcTokenConfig, ownEnvironments, standardEnvironments, type Project } from './project.ts';
import { createPassportUsage, monthOf, type TeamCondition } from './passport-usage-store.ts';
import { createProjectStore, type ProjectPage } from './project-store.ts';
import { changedProtection, readableProtection, type ProtectionChange } from './protection-settings.ts';

/** What a team gives to several projects at once, or to new ones. */
type Assigned = Pick<PassportSetting, 'connectorId' | 'deploymentType'>;

/** What an assignment changes, or would change. */
export type PassportAssignment = {
  changes: readonly { before: Project; after: Project }[];
  unchanged: readonly Project[];
};

/** What a project is made in. */
export type OwningTeam = {
  id: string;
  defaultPassport?: Assigned | undefined;
};

export type ProjectChange = ProtectionChange & {
  name?: string | undefined;
  /** All environments that the project has afterwards, beside the standard ones. */
  environments?: readonly string[] | undefined;
  /** Null switches Passport off; what is left out of it stays. */
  passport?: PassportChange | null | undefined;
  /** What is left out stays. */
  oidcTokenConfig?: { [Field in keyof OidcTokenConfig]?: OidcTokenConfig[Field] | undefined } | undefined;
};

export type By = {
  actor: string;
  reference?: string | undefined;
  /** What a new name breaks, for the record. */
  rename?: Rename | undefined;
};

export type ProjectsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  changes: Pick<Changes, 'note'>;
  /** Matches one row while the team's connector is there: no setting comes to name one that is being deleted. */
  holdConnector?: (teamId: string, connectorId: string) => Expected;
  /** Whether a team has Passport, over a column of a statement here; all have it where nothing is said. */
  teamHasPassport?: TeamCondition;
  /** Ends the sessions of visitors that a password let in. */
  endOfPassword?: (project: { id: string; teamId: string }) => readonly Bound<unknown>[];
  /** What other rooms end together with a project: deployments, visitors' sessions. */
  endOf?: readonly ((project: { id: string; teamId: string }) => readonly (Bound<unknown> | Expected)[])[];
};

export type Projects = ReturnType<typeof createProjects>;

const attempts = 5;
const everyProject = 1_000_000;
const usageEveryMilliseconds = 60 * 60_000;
const inheritedSessionLifetimeSeconds = 12 * 3_600;

export function createProjects({
  database,
  clock,
  audit,
  changes,
  holdConnector,
  teamHasPassport,
  endOf = [],
  endOfPassword = () => [],
}: ProjectsNeeds) {
  const store = createProjectStore(database);
  const usage = createPassportUsage(database, teamHasPassport);

  const find = (teamId: string, idOrName: string) =>
    // A name never begins like an id.
    isId('prj', idOrName) ? store.find(teamId, idOrName) : store.findByName(teamId, idOrName);

  const heldFor = (
    teamId: string,
    passport: { connectorId: string } | null | undefined,
  ): readonly Expected[] => (passport && holdConnector ? [holdConnector(teamId, passport.connectorId)] : []);

  /** Stores another password or none, and ends the sessions of whoever gave the former. */
  function passwordStatements(before: Project, after: Project, change: ProjectChange) {
    if (before.protection.passwordProtection?.version === after.protection.passwordProtection?.version)
      return [];
    return [store.setPasswordHash(after, change.passwordProtection?.passwordHash), ...endOfPassword(after)];
  }

  return {
    /** The hash that a visitor's password is held against. It leaves this room for nothing else. */
    findPassword: store.findPassword,

    /** Statement by which units that count what a project has go one after the other; it comes before the count. */
    hold: store.hold,

    /** Who may enter by a connector, by the setting of now; undefined when nobody may. */
    async findSetting(
      teamId: string,
      projectId: string,
      connectorId: string,
    ): Promise<Pick<PassportSetting, 'policy'> | undefined> {
      const { passport, protection } = (await find(teamId, projectId)) ?? {};
      if (connectorId === platformConnectorId) return protection?.ssoProtection && { policy: 'everyone' };
      return passport?.connectorId === connectorId ? passport : undefined;
    },

    /** The projects that had Passport on at any time of the month (`2026-11`, UTC); the current one by default. */
    async passportUsage(teamId: string, month = monthOf(clock.now())) {
      return { month, projects: await usage.list(teamId, month) };
    },

    /** Work of a job that never ends: where Passport simply stays on, the new month has to be told. */
    async recordPassportUsage() {
      return { statements: [usage.recordAll(clock.now())], againInMilliseconds: usageEveryMilliseconds };
    },

    /** By id or by name, in the team alone. */
    find: (teamId: string, idOrName: string): Promise<Project | undefined> => find(teamId, idOrName),
    list: (teamId: string, page: ProjectPage = { limit: 100 }): Promise<Project[]> =>
      store.list(teamId, page),

    /** Every project of a team, the oldest first. */
    listAll: (teamId: string): Promise<Project[]> => store.list(teamId, { limit: everyProject }),

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
        passport: team.defaultPassport && withAssigned(undefined, team.defaultPassport),
        protection: {},
        oidcTokenConfig: defaultOidcTokenConfig,
        createdAt: now,
        updatedAt: now,
      };
      const outcome = await database.tryWrite([
        store.claimName(project, now),
        store.insert(project),
        ...heldFor(team.id, project.passport),
        ...(project.passport === undefined ? [] : [usage.record(project, now)]),
        audit.record({
          actor: by.actor,
          action: 'project.create',
          object: project.id,
          teamId: team.id,
          after: { name, passport: project.passport ?? null },
          reference: by.reference,
        }),
      ]);
      if (outcome.committed) return project;
      throw outcome.refusedAt === 2 ? publicError('unknown_connector') : nameTaken(name);
    },

    /** What a project would be after a change. Throws what the change would, but `changed_meanwhile`. */
    async preview(teamId: string, idOrName: string, change: ProjectChange): Promise<Project> {
      const before = await find(teamId, idOrName);
      if (before === undefined) throw publicError('not_found');
      const after = { ...before, ...changed(before, change, clock.now()) };
      validateMintPolicy(change, after);
      const owner = await store.findNameOwner(teamId, after.name);
      if (owner !== undefined && owner !== before.id) throw nameTaken(after.name);
      for (const name of after.environments.filter((one) => !before.environments.includes(one))) {
        if (await store.hadEnvironment(before.id, name)) throw environmentTaken(name);
      }
      return after;
    },

    /**
     * Changes what is given and keeps the rest. Throws `not_found`, `name_taken` (also for an environment that was
     * deleted), `unknown_environment` and `changed_meanwhile`.
     */
    async update(teamId: string, idOrName: string, change: ProjectChange, by: By): Promise<Project> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const before = await find(teamId, idOrName);
        if (before === undefined) throw publicError('not_found');
        const now = clock.now();
        const after = { ...before, ...changed(before, change, now), updatedAt: now };
        validateMintPolicy(change, after);
        const added = after.environments.filter((name) => !before.environments.includes(name));
        const isRenamed = after.name !== before.name;
        // Claimed first: a name that another project has now is refused here, before it is an error of a constraint.
        const claims = isRenamed ? [store.claimName(after, after.updatedAt)] : [];
        const outcome = await database.tryWrite([
          ...claims,
          store.update(after),
          ...added.map((name) => store.claimEnvironment(after.id, name, after.updatedAt)),
          ...heldFor(teamId, change.passport),
          ...(after.passport === undefined ? [] : [usage.record(after, after.updatedAt)]),
          ...passwordStatements(before, after, change),
          audit.record({
            actor: by.actor,
            action: 'project.update',
            object: after.id,
            teamId,
            before: fieldsOf(before, change),
            after: { ...fieldsOf(after, change), ...(by.rename === undefined ? {} : { breaks: by.rename }) },
            reference: by.reference,
          }),
          changes.note('projects'),
        ]);
        if (outcome.committed) return after;
        if (outcome.refusedAt < claims.length) throw nameTaken(after.name);
        if (outcome.refusedAt === claims.length) continue;
        const taken = added[outcome.refusedAt - claims.length - 1];
        throw taken === undefined ? publicError('unknown_connector') : environmentTaken(taken);
      }
      throw publicError('changed_meanwhile');
    },

    /**
     * Gives several projects one connector and scope, all of them or none; each keeps its session lifetime and access
     * policy. With `preview` it only says what would change. Throws `unknown_project` and `changed_meanwhile`.
     */
    async assignPassport(
      teamId: string,
      assigned: Assigned,
      projectIds: readonly string[],
      { preview, ...by }: By & { preview: boolean },
    ): Promise<PassportAssignment> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const asked = await Promise.all(projectIds.map((id) => find(teamId, id)));
        const missing = projectIds.filter((_, index) => asked[index] === undefined);
        if (missing.length > 0) throw unknownProjects(missing);
        // Named by id and by name, it is still one project.
        const found = new Map(asked.flatMap((project) => (project ? [[project.id, project]] : [])));
        const unchanged = [...found.values()].filter((project) => hasAssigned(project, assigned));
        const affected = [...found.values()]
          .filter((project) => !hasAssigned(project, assigned))
          .map((before) => ({
            before,
            after: { ...before, passport: withAssigned(before.passport, assigned), updatedAt: clock.now() },
          }));
        if (preview || affected.length === 0) return { changes: affected, unchanged };
        const outcome = await database.tryWrite([
          ...affected.map(({ after }) => store.update(after)),
          ...heldFor(teamId, assigned),
          ...affected.map(({ after }) => usage.record(after, after.updatedAt)),
          audit.record({
            actor: by.actor,
            action: 'passport.assign',
            object: assigned.connectorId,
            teamId,
            before: Object.fromEntries(affected.map(({ before }) => [before.id, before.passport ?? null])),
            after: { ...assigned, projectIds: affected.map(({ after }) => after.id) },
            reference: by.reference,
          }),
          changes.note('projects'),
        ]);
        if (outcome.committed) return { changes: affected, unchanged };
        if (outcome.refusedAt === affected.length) throw publicError('unknown_connector');
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
        changes.note('projects'),
      ]);
      if (!outcome.committed) throw publicError('not_found');
    },
  };
}

/** What is left out stays: whoever changes only what is covered opens nothing to everyone by it. */
function withAssigned(before: PassportSetting | undefined, assigned: PassportChange): PassportSetting {
  const { connectorId, deploymentType, sessionLifetimeSeconds, sessionIdleSeconds, policy } = assigned;
  return {
    connectorId,
    deploymentType,
    sessionLifetimeSeconds:
      sessionLifetimeSeconds ?? before?.sessionLifetimeSeconds ?? inheritedSessionLifetimeSeconds,
    sessionIdleSeconds:
      sessionIdleSeconds === undefined ? (before?.sessionIdleSeconds ?? null) : sessionIdleSeconds,
    policy: policy ?? before?.policy ?? 'everyone',
  };
}

function hasAssigned({ passport }: Project, { connectorId, deploymentType }: Assigned): boolean {
  return passport?.connectorId === connectorId && passport.deploymentType === deploymentType;
}

function unknownProjects(ids: readonly string[]) {
  return publicError('unknown_project', {
    description: `The team has no project ${ids.map((id) => `"${id}"`).join(', ')}.`,
  });
}

function changed(before: Project, change: ProjectChange, now: number): Partial<Project> {
  const { name, environments, passport, oidcTokenConfig } = change;
  return {
    ...(name === undefined ? {} : { name }),
    ...(environments === undefined
      ? {}
      : { environments: [...standardEnvironments, ...ownEnvironments(environments)] }),
    ...(passport === undefined
      ? {}
      : { passport: passport === null ? undefined : withAssigned(before.passport, passport) }),
    protection: changedProtection(before.protection, change, now),
    ...(oidcTokenConfig === undefined
      ? {}
      : { oidcTokenConfig: mergedTokenConfig(before.oidcTokenConfig, oidcTokenConfig) }),
  };
}

/** A rule about an environment that there is not would never say anything, and look as if it did. */
function validateMintPolicy(change: ProjectChange, after: Project): void {
  for (const { name, environments } of change.oidcTokenConfig?.mintPolicy?.rules ?? []) {
    const unknown = environments.find((environment) => !after.environments.includes(environment));
    if (unknown === undefined) continue;
    throw publicError('unknown_environment', {
      description: `'oidcTokenConfig.mintPolicy': the rule "${name}" names the environment "${unknown}"; the project has ${after.environments.join(', ')}.`,
    });
  }
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
    mintPolicy: change.mintPolicy === undefined ? before.mintPolicy : change.mintPolicy,
  };
}

/** The fields of a change as they were, or are: null where there was, or is, nothing. */
function fieldsOf(project: Project, change: ProjectChange): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...project, ...readableProtection(project.protection) };
  return Object.fromEntries(Object.keys(change).map((field) => [field, fields[field] ?? null]));
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
