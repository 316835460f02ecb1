import type { NamedTrust, Rename } from '@tessera/contract';
import { defaultAudience, issuerOf, subjectOf, type WorkloadProject, type WorkloadTeam } from './workload.ts';

type Project = WorkloadProject & { environments: readonly string[] };

export type RenamesNeeds = {
  urls: { origin: string; oidc: string; passport: string };
  findTeam(id: string): Promise<WorkloadTeam | undefined>;
  findProject(teamId: string, idOrName: string): Promise<Project | undefined>;
  listProjects(teamId: string): Promise<readonly Project[]>;
  /** Every room that keeps trust in projects of a team says which of its own names them. */
  listTrust: readonly ((teamId: string, projectIds: readonly string[]) => Promise<readonly NamedTrust[]>)[];
};

export type Renames = ReturnType<typeof createRenames>;

const mostSubjects = 500;

/** Says what a new name of a team or project breaks: whatever verifiers and clouds compare letter by letter. */
export function createRenames({ urls, findTeam, findProject, listProjects, listTrust }: RenamesNeeds) {
  async function report(
    names: { from: string; to: string },
    before: { team: WorkloadTeam; projects: readonly Project[] },
    after: { team: WorkloadTeam; projects: readonly Project[] },
    claims: string[],
  ): Promise<Rename> {
    const ids = before.projects.map(({ id }) => id);
    const trust = await Promise.all(listTrust.map((list) => list(before.team.id, ids)));
    const subjects = changes(subjectsOf(before), subjectsOf(after));
    return {
      ...names,
      issuers: changes(issuersOf(before), issuersOf(after)),
      audiences: changes(
        [defaultAudience(urls.origin, before.team)],
        [defaultAudience(urls.origin, after.team)],
      ),
      subjects: subjects.slice(0, mostSubjects),
      subjectsLeftOut: Math.max(0, subjects.length - mostSubjects),
      claims,
      trust: trust.flat(),
    };
  }

  function issuersOf({ team, projects }: { team: WorkloadTeam; projects: readonly Project[] }): string[] {
    const ofTokens = projects.map((project) => issuerOf(urls.oidc, { team, project }));
    return [...new Set([...ofTokens, `${urls.passport}/${team.slug}`])];
  }

  return {
    /** Undefined when the project is not there, or keeps its name. */
    async ofProject(teamId: string, idOrName: string, name: string | undefined): Promise<Rename | undefined> {
      const [team, project] = await Promise.all([findTeam(teamId), findProject(teamId, idOrName)]);
      if (team === undefined || project === undefined || name === undefined || name === project.name) {
        return undefined;
      }
      const renamed = { ...project, name };
      return report(
        { from: project.name, to: name },
        { team, projects: [project] },
        { team, projects: [renamed] },
        ['project'],
      );
    },

    /** Undefined when the team is not there, or keeps its slug. */
    async ofTeam(teamId: string, slug: string | undefined): Promise<Rename | undefined> {
      const team = await findTeam(teamId);
      if (team === undefined || slug === undefined || slug === team.slug) return undefined;
      const projects = await listProjects(teamId);
      return report(
        { from: team.slug, to: slug },
        { team, projects },
        { team: { ...team, slug }, projects },
        ['owner'],
      );
    },
  };
}

function subjectsOf({ team, projects }: { team: WorkloadTeam; projects: readonly Project[] }): string[] {
  return projects.flatMap((project) =>
    project.environments.map((environment) => subjectOf({ team, project, environment })),
  );
}

/** What differs, each side in the same order. */
function changes(before: readonly string[], after: readonly string[]): { before: string; after: string }[] {
  return before.flatMap((one, index) => {
    const other = after[index] ?? one;
    return other === one ? [] : [{ before: one, after: other }];
  });
}
