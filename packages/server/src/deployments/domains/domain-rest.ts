import { getRoute, pageOf, type ProjectDomainDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { proofRecordOf, type ProjectDomain } from './domain.ts';
import type { Domains, OwningProject } from './domains.ts';

export type DomainRestNeeds = {
  domains: Domains;
  findProject: (teamId: string, idOrName: string) => Promise<OwningProject | undefined>;
};

/** REST doors of the domains of projects. */
export function createDomainRest({ domains, findProject }: DomainRestNeeds): readonly RestDoor[] {
  return [
    restDoor(getRoute('project-domains.add'), async ({ team, params, body, caller, reference }) => {
      const project = await getProject(team.id, params.idOrName);
      return documentOf(await domains.add(team.id, project, body, { actor: caller.id, reference }));
    }),

    restDoor(getRoute('project-domains.list'), async ({ team, params, query }) => {
      const { id } = await getProject(team.id, params.idOrName);
      const { cursor, limit } = query;
      const verified = query.verified === undefined ? undefined : query.verified === 'true';
      const found = await domains.list(id, { verified, after: cursor, limit: limit + 1 });
      const { rows, pagination } = pageOf(found, limit);
      return { domains: rows.map(documentOf), pagination };
    }),

    restDoor(getRoute('project-domains.get'), async ({ team, params }) => {
      const { id } = await getProject(team.id, params.idOrName);
      return documentOf(await domains.find(team.id, id, params.domain));
    }),

    restDoor(getRoute('project-domains.verify'), async ({ team, params, caller, reference }) => {
      const { id } = await getProject(team.id, params.idOrName);
      const by = { actor: caller.id, userId: caller.userId, reference };
      return documentOf(await domains.verify(team.id, id, params.domain, by));
    }),

    restDoor(getRoute('project-domains.remove'), async ({ team, params, caller, reference }) => {
      const { id } = await getProject(team.id, params.idOrName);
      await domains.remove(team.id, id, params.domain, { actor: caller.id, reference });
      return {};
    }),
  ];

  async function getProject(teamId: string, idOrName: string): Promise<OwningProject> {
    const project = await findProject(teamId, idOrName);
    if (project === undefined) throw publicError('not_found');
    return project;
  }
}

function documentOf(domain: ProjectDomain): ProjectDomainDocument {
  const { name, projectId, environment, verifiedAt, createdAt, updatedAt } = domain;
  const isVerified = verifiedAt !== undefined;
  return {
    name,
    apexName: name,
    projectId,
    environment,
    verified: isVerified,
    verifiedAt: verifiedAt ?? null,
    ...(isVerified
      ? {}
      : {
          verification: [
            {
              type: 'TXT' as const,
              ...proofRecordOf(domain),
              reason: 'pending_domain_verification' as const,
            },
          ],
        }),
    createdAt,
    updatedAt,
  };
}
