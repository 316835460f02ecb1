import { decodeJwt } from 'jose';
import type { Database } from '#database';
import { publicError } from '#errors';
import { newDoor, problemAnswer, type Door, type DoorContext } from '#http';
import { networkOf, type Limits } from '#limits';
import type {
  FindStsCredentials,
  Workload,
  WorkloadDeployment,
  WorkloadProject,
  WorkloadTeam,
  Workloads,
} from '#workloads';
import { answerContainerCredentials } from './container-credentials.ts';
import { readRuntimeQuery } from './runtime-query.ts';

export type RunningDeployment = {
  team: WorkloadTeam;
  project: WorkloadProject & { environments: readonly string[] };
  deployment: WorkloadDeployment;
};

export type RuntimeTokenDoorNeeds = {
  /** What the listener itself is called (`127.0.0.1:4003`), lower case: another `Host` is refused. */
  ownHosts: readonly string[];
  database: Pick<Database, 'tryWrite'>;
  limits: Pick<Limits, 'count'>;
  workloads: Pick<Workloads, 'forDeployment' | 'mint'>;
  findStsCredentials: FindStsCredentials;
  /** The deployment that a workload secret was made for, while it runs. */
  findRunning(secret: string): Promise<RunningDeployment | undefined>;
};

const windowMilliseconds = 60_000;
/** Wrong secrets a minute of one address, and tokens a minute that are made for one deployment. */
const limitOfWrongSecrets = 60;
const limitOfMints = 60;
const paths = ['/token', '/aws-credentials'];

/**
 * `GET /token`: a running deployment's own token, for work that no request waits for; `GET /aws-credentials`: what AWS
 * gives for one, in the form of its containers. A deployment proves which one it is by its workload secret. Only programs beside us may ask: whatever came through a browser or a proxy is refused before
 * the secret is looked at, and there is no CORS.
 */
export function createRuntimeTokenDoor(needs: RuntimeTokenDoorNeeds): Door {
  const { database, limits, workloads, ownHosts } = needs;
  const door = newDoor(problemAnswer);

  door.use(async (context, next) => {
    requireProgramBesideUs(context, ownHosts);
    // The router takes HEAD for GET; nobody wants a token made that is then thrown away.
    if (paths.includes(context.req.path) && context.req.method !== 'GET') {
      throw publicError('method_not_allowed', {
        description: `The method ${context.req.method} is not available at ${context.req.path}.`,
        headers: { allow: 'GET' },
      });
    }
    await next();
  });

  door.get('/token', async (context) => {
    const query = readRuntimeQuery(context, ['audience', 'format']);
    const audience = query.readAudience();
    const format = readFormat(query.read('format'));
    const running = await findRunning(context);
    const token = await tokenOf(running, audience, context.get('reference'));
    const expiresAt = decodeJwt(token).exp ?? 0;
    context.header('cache-control', 'no-store');
    if (format === 'text') return context.text(token);
    if (format === 'google-executable') return context.json(executableAnswer(token, expiresAt));
    return context.json({ token, expiresAt: expiresAt * 1000 });
  });

  door.get('/aws-credentials', async (context) => {
    const query = readRuntimeQuery(context, ['roleArn', 'audience', 'durationSeconds']);
    const running = await findRunning(context);
    await count('runtime-token', running.deployment.id, limitOfMints);
    const answer = await answerContainerCredentials({
      find: needs.findStsCredentials,
      workload: workloadOf(running),
      query,
      reference: context.get('reference'),
    });
    context.header('cache-control', 'no-store');
    return context.json(answer);
  });
  return door;

  async function findRunning(context: DoorContext): Promise<RunningDeployment> {
    const secret = /^Bearer ([\w-]+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    const running = secret === undefined ? undefined : await needs.findRunning(secret);
    if (running !== undefined) return running;
    // Wrong ones alone are counted: whoever sends them must not keep a neighbour from its token.
    await count('workload-secret', networkOf(context.get('clientAddress')), limitOfWrongSecrets);
    throw publicError('workload_secret_refused', { headers: { 'www-authenticate': 'Bearer' } });
  }

  /** The reused token that the gateway hands out too; one for another audience is made anew, under the same rules. */
  async function tokenOf(
    running: RunningDeployment,
    audience: string | undefined,
    reference: string,
  ): Promise<string> {
    const { deployment } = running;
    const reused = audience === undefined ? await workloads.forDeployment(running) : undefined;
    if (reused !== undefined) return reused;
    await count('runtime-token', deployment.id, limitOfMints);
    // Without an audience it was refused already: asked again, it says why, under this request's reference.
    const minted = await workloads.mint(workloadOf(running), {
      actor: deployment.id,
      audience,
      source: 'runtime',
      reference,
    });
    return minted.token;
  }

  async function count(name: string, key: string, limit: number): Promise<void> {
    const counted = await database.tryWrite([limits.count(name, key, limit, windowMilliseconds)]);
    if (counted.committed) return;
    throw publicError('too_many_tries', {
      description: 'Too many requests within a minute. A token can be used until it expires.',
      headers: { 'retry-after': String(windowMilliseconds / 1000) },
    });
  }
}

/**
 * Refuses what a page or a forwarded request carries. `Sec-Fetch-Mode` by itself is Node's own `fetch`; a browser
 * always sends `Sec-Fetch-Site` with it, and no page can take that away.
 */
function requireProgramBesideUs(context: DoorContext, ownHosts: readonly string[]): void {
  const headers = context.req.header();
  const foreign = Object.keys(headers).find(isOfBrowserOrProxy);
  if (foreign !== undefined) {
    throw publicError('not_beside_us', {
      description: `The request has the header "${foreign}", which browsers and proxies send. Expected a program on this machine.`,
    });
  }
  const host = headers['host']?.toLowerCase() ?? '';
  if (ownHosts.includes(host)) return;
  throw publicError('not_beside_us', {
    description: `The request names another host. Expected ${ownHosts.map((own) => `"${own}"`).join(' or ')}.`,
  });
}

function isOfBrowserOrProxy(name: string): boolean {
  return (
    ['origin', 'referer', 'cookie', 'forwarded', 'via', 'x-real-ip'].includes(name) ||
    name.startsWith('x-forwarded-') ||
    (name.startsWith('sec-') && name !== 'sec-fetch-mode')
  );
}

function workloadOf({ team, project, deployment }: RunningDeployment) {
  const { environment } = deployment;
  return { team, project, environment, runtime: 'function', deployment } satisfies Workload;
}

const formats = ['json', 'text', 'google-executable'] as const;

function readFormat(text = 'json'): (typeof formats)[number] {
  const format = formats.find((known) => known === text);
  if (format !== undefined) return format;
  throw publicError('bad_request', {
    description: `The "format" is unknown. Expected ${formats.map((known) => `"${known}"`).join(', ')}.`,
  });
}

/** What Google's libraries read from a command's output (executable-sourced credentials, version 1). */
function executableAnswer(token: string, expiresAt: number) {
  return {
    version: 1,
    success: true,
    token_type: 'urn:ietf:params:oauth:token-type:jwt',
    id_token: token,
    expiration_time: expiresAt,
  };
}
