import { ProblemError, type Client } from '@tessera/contract';
import { CommandError, show } from '../errors.ts';
import { parseBaseUrl, type Instance } from '../login/index.ts';
import { findProjectLink } from '../project/index.ts';
import type { Terminal } from '../terminal.ts';

export type TargetOptions = {
  deployment?: string;
  environment?: string;
  api?: true;
  project?: string;
  team?: string;
};

/** A deployment that the instance says is the team's, and an address there. */
export type DeploymentTarget = {
  is: 'deployment';
  url: URL;
  team: string;
  projectId: string;
  environment: string;
};
export type Target = DeploymentTarget | { is: 'api'; url: URL };

type Surroundings = { terminal: Terminal; call: Client; instance: Instance };
type FoundDeployment = { url: string; projectId: string; environment: string };

/**
 * Where to. A token is put in for the REST API of the login, and for hosts that the instance says are deployments of
 * the team; any other address is refused.
 */
export async function findTarget(
  given: string,
  options: TargetOptions,
  around: Surroundings,
): Promise<Target> {
  if (/[\p{Cc}\p{Zl}\p{Zp}\\]/u.test(given) || given !== given.trim()) {
    throw invalid(given, 'has control characters, backslashes or spaces around it');
  }
  const { api } = around.instance;
  if (options.api) {
    if (!given.startsWith('/'))
      throw invalid(given, 'is no path', 'With --api give a path such as /v2/user.');
    return { is: 'api', url: apiUrl(`${api}${given}`, api) };
  }
  if (given.startsWith('/')) return findByPath(given, options, around);
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw invalid(given, 'is neither a path nor an address');
  if (url.username !== '' || url.password !== '')
    throw invalid(url.host, 'has a user name or password in it');
  if (options.deployment !== undefined || options.environment !== undefined) {
    throw invalid(
      given,
      'names a host already',
      'Leave out --deployment and --environment, or give the path alone.',
    );
  }
  if (url.href === api || url.href.startsWith(`${api}/`)) return { is: 'api', url: apiUrl(url.href, api) };
  const team = await findTeam(options, around);
  const deployment = await findByHost(url.hostname, team, around);
  return targetAt(url, team, deployment);
}

/** Normalized: `..` must not lead out of the API to another part of its host. */
function apiUrl(address: string, api: string): URL {
  const url = new URL(address);
  if (url.href.startsWith(`${new URL(api).href.replace(/\/$/, '')}/`)) return url;
  throw invalid(address, `leads out of the REST API at ${api}`, 'Give a path such as /v2/user.');
}

async function findByPath(
  path: string,
  options: TargetOptions,
  around: Surroundings,
): Promise<DeploymentTarget> {
  const { deployment: named, environment } = options;
  const team = await findTeam(options, around);
  if (named === undefined) {
    const deployment = await findNewest(team, options, around);
    return targetAt(new URL(`${originOf(deployment)}${path}`), team, deployment);
  }
  if (environment !== undefined) throw invalid(named, 'is one deployment', 'Leave out --environment.');
  if (named.startsWith('dpl_')) {
    const deployment = await around.call('deployments.get', {
      params: { id: named },
      query: { teamId: team },
    });
    return targetAt(new URL(`${originOf(deployment)}${path}`), team, deployment);
  }
  const hostname = (URL.parse(named) ?? URL.parse(`https://${named}`))?.hostname ?? '';
  const deployment = await findByHost(hostname, team, around);
  const origin = new URL(originOf(deployment));
  origin.hostname = hostname;
  return targetAt(new URL(`${origin.origin}${path}`), team, deployment);
}

async function findTeam({ team }: TargetOptions, { terminal }: Surroundings): Promise<string> {
  return team ?? (await findProjectLink(terminal)).orgId;
}

async function findNewest(
  team: string,
  { project, environment = 'production' }: TargetOptions,
  { terminal, call }: Surroundings,
): Promise<FoundDeployment> {
  const projectId = project ?? (await findProjectLink(terminal)).projectId;
  const { deployments } = await call('deployments.list', {
    query: { teamId: team, projectId, environment, limit: 1 },
  });
  const [newest] = deployments;
  if (newest !== undefined) return newest;
  throw new CommandError(
    'no_deployment',
    `The project ${show(projectId)} has no deployment in ${show(environment)}.`,
    'Name another --environment, or the --deployment.',
  );
}

/** What the instance says of a host; refused unless it is a deployment of the team. */
async function findByHost(host: string, team: string, { call }: Surroundings): Promise<FoundDeployment> {
  const query = { teamId: team };
  try {
    const { deploymentId } = await call('protection.explain', { query, body: { host } });
    return await call('deployments.get', { params: { id: deploymentId }, query });
  } catch (error) {
    if (!(error instanceof ProblemError) || !['not_found', 'bad_request'].includes(error.problem.code))
      throw error;
    throw new CommandError(
      'not_a_deployment',
      `${show(host)} is no deployment of the team ${show(team)}; nothing was sent there.`,
      'Check the host and --team. For other hosts use curl itself.',
      { cause: error },
    );
  }
}

/** All hosts of an instance are reached alike: another scheme or port is another service, or one without TLS. */
function targetAt(url: URL, team: string, deployment: FoundDeployment): DeploymentTarget {
  const { projectId, environment } = deployment;
  const origin = new URL(originOf(deployment));
  if (url.protocol === origin.protocol && url.port === origin.port) {
    url.hash = '';
    return { is: 'deployment', url, team, projectId, environment };
  }
  origin.hostname = url.hostname;
  throw invalid(url.origin, 'is not where deployments are', `Give ${origin.origin} in its place.`);
}

function originOf(deployment: FoundDeployment): string {
  const parsed = parseBaseUrl(deployment.url);
  if ('url' in parsed) return new URL(parsed.url).origin;
  throw new CommandError(
    'address_unsafe',
    `The deployment is at ${show(deployment.url)}, which ${parsed.problem}: a token would travel readable.`,
    'Ask whoever runs the instance for https.',
  );
}

function invalid(
  given: string,
  problem: string,
  mend = 'Give a path such as /health, or a whole address.',
): CommandError {
  return new CommandError('target_invalid', `${show(given)} ${problem}.`, mend);
}
