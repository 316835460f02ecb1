import { getRoute, type AutomationBypassDocument } from '@tessera/contract';
import { isId } from '@tessera/protocol';
import type { Clock } from '#clock';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { AutomationBypass, ShareLink } from './bypass.ts';
import type { Bypasses } from './bypasses.ts';

type HostOwner = { teamId: string; projectId: string; environment: string; deploymentId: string | null };

export type BypassRestNeeds = {
  bypasses: Bypasses;
  clock: Clock;
  projects: {
    find(
      teamId: string,
      idOrName: string,
    ): Promise<{ id: string; name: string; environments: readonly string[] } | undefined>;
  };
  deployments: {
    findHostOwner(host: string): Promise<HostOwner | undefined>;
    find(
      teamId: string,
      id: string,
    ): Promise<{ hosts: readonly { host: string; kind: string }[] } | undefined>;
  };
  /** How a deployment's host is reached from outside. */
  address: { protocol: string; port: string };
  wire: { shareParameter: string };
};

/** REST doors of the ways past a protection: secrets of a project for programs, the link of a host for people. */
export function createBypassRest(needs: BypassRestNeeds): readonly RestDoor[] {
  const { bypasses, clock, projects, deployments, address, wire } = needs;
  const { automation, shareLinks } = bypasses;

  return [
    restDoor(getRoute('protection-bypass.list'), async ({ team, params }) => {
      const project = await getProject(team.id, params.idOrName);
      return documentOf(await automation.list(project.id));
    }),

    restDoor(getRoute('protection-bypass.update'), async ({ team, params, body, caller, reference }) => {
      const project = await getProject(team.id, params.idOrName);
      const by = { actor: caller.id, userId: caller.userId, teamId: team.id, reference };
      const { generate, revoke, update } = body;
      validateBounds(generate ?? update, project);
      const made =
        generate !== undefined
          ? await automation.generate(project.id, generate, by)
          : revoke !== undefined
            ? await automation.revoke(project.id, revoke.secret, revoke.regenerate, by)
            : undefined;
      if (update !== undefined) await automation.update(project.id, update.secret, update, by);
      return documentOf(await automation.list(project.id), made);
    }),

    restDoor(getRoute('share-links.get'), async ({ team, params }) => {
      const at = await getHost(team.id, params.idOrHost);
      return linkDocumentOf(at.host, await shareLinks.findOfHost(at));
    }),

    restDoor(getRoute('share-links.update'), async ({ team, params, body, caller, reference, authorize }) => {
      const { host, projectId, environment } = await getHost(team.id, params.idOrHost);
      authorize('protection-bypass:write', { projectId, shareLinkOf: environment });
      const by = { actor: caller.id, userId: caller.userId, teamId: team.id, reference };
      const { ttl, revoke } = body;
      if (revoke !== undefined) {
        if (ttl !== undefined && !revoke.regenerate) {
          throw publicError('bad_request', {
            description: "Received 'ttl' together with 'revoke', which makes no new link.",
            mend: 'Leave one of them out, or add "regenerate": true.',
          });
        }
        await shareLinks.revoke({ host, projectId }, revoke.secret, by);
        if (!revoke.regenerate) return linkDocumentOf(host, undefined);
      }
      const expiresAt = ttl === undefined ? undefined : clock.now() + ttl * 1_000;
      const { link, secret } = await shareLinks.generate({ host, projectId }, expiresAt, by);
      return linkDocumentOf(host, link, secret);
    }),
  ];

  async function getProject(teamId: string, idOrName: string) {
    const project = await projects.find(teamId, idOrName);
    if (project === undefined) throw publicError('not_found');
    return project;
  }

  /** A host of the team where a deployment answers. */
  async function getHost(teamId: string, idOrHost: string) {
    const host = await hostOf(teamId, idOrHost);
    const owner = host === undefined ? undefined : await deployments.findHostOwner(host);
    if (host === undefined || owner?.teamId !== teamId || owner.deploymentId === null) {
      throw publicError('not_found', { description: `The team has no deployment at "${idOrHost}".` });
    }
    return { host, ...owner };
  }

  async function hostOf(teamId: string, idOrHost: string): Promise<string | undefined> {
    if (!isId('dpl', idOrHost)) return idOrHost.toLowerCase();
    const deployment = await deployments.find(teamId, idOrHost);
    return deployment?.hosts.find(({ kind }) => kind === 'generated')?.host;
  }

  function validateBounds(
    bounds:
      | { environments?: readonly string[] | null | undefined; expiresAt?: number | null | undefined }
      | undefined,
    project: { name: string; environments: readonly string[] },
  ): void {
    const unknown = bounds?.environments?.find((name) => !project.environments.includes(name));
    if (unknown !== undefined) {
      throw publicError('unknown_environment', {
        description: `The project "${project.name}" has no environment "${unknown}"; it has ${project.environments.join(', ')}.`,
      });
    }
    const { expiresAt } = bounds ?? {};
    if (typeof expiresAt === 'number' && expiresAt <= clock.now()) {
      throw publicError('bad_request', {
        description: `'expiresAt': ${expiresAt} is in the past. Expected milliseconds since the epoch.`,
      });
    }
  }

  function linkDocumentOf(host: string, link: ShareLink | undefined, secret?: string) {
    const port = address.port === '' ? '' : `:${address.port}`;
    return {
      host,
      protectionBypass:
        link === undefined
          ? {}
          : {
              [secret ?? link.id]: {
                id: link.id,
                scope: 'shareable-link' as const,
                expires: link.expiresAt ?? null,
                createdAt: link.createdAt,
                createdBy: link.createdBy,
              },
            },
      ...(secret === undefined
        ? {}
        : { secret, url: `${address.protocol}//${host}${port}/?${wire.shareParameter}=${secret}` }),
    };
  }
}

/** In Vercel's shape, where the secret is the key; we have it only of the one that was just made. */
function documentOf(
  all: readonly AutomationBypass[],
  made?: { bypass: AutomationBypass; secret: string },
): {
  protectionBypass: Record<string, AutomationBypassDocument>;
  id?: string;
  secret?: string;
} {
  return {
    protectionBypass: Object.fromEntries(
      all.map((bypass) => [
        bypass.id === made?.bypass.id ? made.secret : bypass.id,
        {
          id: bypass.id,
          scope: 'automation-bypass' as const,
          note: bypass.note ?? null,
          isEnvVar: bypass.isEnvVar,
          environments: bypass.environments === undefined ? null : [...bypass.environments],
          pathPrefix: bypass.pathPrefix ?? null,
          expiresAt: bypass.expiresAt ?? null,
          lastUsedAt: bypass.lastUsedAt ?? null,
          createdAt: bypass.createdAt,
          createdBy: bypass.createdBy,
        },
      ]),
    ),
    ...(made === undefined ? {} : { id: made.bypass.id, secret: made.secret }),
  };
}
