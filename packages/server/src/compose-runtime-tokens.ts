import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { Config } from '#config';
import type { Database } from '#database';
import type { Deployments } from '#deployments';
import type { GuardedFetch } from '#fetch';
import { createHostTable, listen, problemAnswer, type Listener, type ListenNeeds } from '#http';
import { createRuntimeTokenDoor } from '#issuers';
import type { Limits } from '#limits';
import type { Logger } from '#logger';
import type { Project, Projects } from '#projects';
import type { Team, Teams } from '#teams';
import { createStsCredentials, type Workloads } from '#workloads';

export type RuntimeTokenNeeds = {
  config: Config;
  database: Database;
  logger: Logger;
  limits: Limits;
  fetch: GuardedFetch;
  teams: Teams;
  projects: Projects;
  deployments: Deployments<Project, Team>;
  workloads: Workloads;
};

// The host table is asked for this one name; which hosts a request may name, the door says.
const runtimeUrl = 'http://workloads';

/** Opens the listener at which running deployments get their tokens, where one is configured. */
export async function listenForWorkloads(
  needs: RuntimeTokenNeeds,
  listening: Omit<ListenNeeds, 'findApplication' | 'host' | 'port' | 'socketPath'>,
): Promise<Listener[]> {
  const { config, database, logger, limits, fetch, teams, projects, deployments, workloads } = needs;
  const place = config.workloadListen;
  if (place === undefined) return [];
  const door = createRuntimeTokenDoor({
    ownHosts: ownHostsOf(place),
    database,
    limits,
    workloads,
    findStsCredentials: createStsCredentials({ fetch, stsUrl: config.stsUrl, workloads }),
    async findRunning(secret) {
      const deployment = await deployments.findByWorkloadSecret(secret);
      if (deployment === undefined) return undefined;
      const [team, project] = await Promise.all([
        teams.find(deployment.teamId),
        projects.find(deployment.teamId, deployment.projectId),
      ]);
      const stands =
        project?.id === deployment.projectId && project.environments.includes(deployment.environment);
      return team !== undefined && stands ? { team, project, deployment } : undefined;
    },
  });
  const table = createHostTable([{ base: runtimeUrl, doors: [door], errors: problemAnswer }], logger);
  const application = table.find(new URL(runtimeUrl).host);
  if (place.socketPath !== undefined) await removeLeftSocket(place.socketPath);
  return [await listen({ ...listening, ...place, findApplication: () => application })];
}

/** By a socket a client has no host to name: programs write `localhost` there. */
function ownHostsOf({ host, port, socketPath }: NonNullable<Config['workloadListen']>): string[] {
  if (socketPath !== undefined) return ['localhost'];
  const names = [...new Set([host.includes(':') ? `[${host}]` : host, 'localhost'])];
  return names.flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])]);
}

/** The socket of a process that crashed; one that somebody answers at, or another kind of file, is left alone. */
async function removeLeftSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`TESSERA_WORKLOAD_LISTEN: there is a file at ${path}, no socket.`);
  const isAnswered = await new Promise<boolean>((resolve) => {
    const connection = connect(path);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
  if (isAnswered) throw new Error(`TESSERA_WORKLOAD_LISTEN: another process listens at ${path}.`);
  unlinkSync(path);
}
