import { decodeJwt } from 'jose';
import type { Database } from '#database';
import { publicError } from '#errors';
import { newDoor, problemAnswer, readQuery, type Door, type DoorContext } from '#http';
import { networkOf, type Limits } from '#limits';
import type { Workload, WorkloadDeployment, WorkloadProject, WorkloadTeam, Workloads } from '#workloads';

export type RunningDeployment = {
  team: WorkloadTeam;
  project: WorkloadProject;
  deployment: WorkloadDeployment;
};

export type RuntimeTokenDoorNeeds = {
  /** What the listener itself is called (`127.0.0.1:4003`), lower case: another `Host` is refused. */
  ownHosts: readonly string[];
  database: Pick<Database, 'tryWrite'>;
  limits: Pick<Limits, 'count'>;
  workloads: Pick<Workloads, 'forDeployment' | 'mint'>;
  /** The deployment that a workload secret was made for, while it runs. */
  findRunning(secret: string): Promise<RunningDeployment | undefined>;
};

const windowMilliseconds = 60_000;
/** Wrong secrets a minute of one address, and tokens a minute that are made for one deployment. */
const limitOfWrongSecrets = 60;
const limitOfMints = 60;
const audienceLimitCharacters = 512;
const parameters = ['audience', 'format'];

/**
 * `GET /token`: a running deployment's own token, for work that no request waits for. It proves which deployment it is
 * by its workload secret. Only programs beside us may ask: whatever came through a browser or a proxy is refused before
 * the secret is looked at, and there is no CORS.
 */
export function createRuntimeTokenDoor(needs: RuntimeTokenDoorNeeds): Door {
  const { database, limits, workloads, ownHosts } = needs;
  const door = newDoor(problemAnswer);

  door.use(async (context, next) => {
    requireProgramBesideUs(context, ownHosts);
    // The router takes HEAD for GET; nobody wants a token made that is then thrown away.
    if (context.req.path === '/token' && context.req.method !== 'GET') {
      throw publicError('method_not_allowed', {
        description: `The method ${context.req.method} is not available at /token.`,
        headers: { allow: 'GET' },
      });
    }
    await next();
  });

  door.get('/token', async (context) => {
    const { audience, format } = readAsked(context);
    const running = await findRunning(context);
    const token = await tokenOf(running, audience, context.get('reference'));
    context.header('cache-control', 'no-store');
    if (format === 'text') return context.text(token);
    return context.json({ token, expiresAt: (decodeJwt(token).exp ?? 0) * 1000 });
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
    const { deployment, team, project } = running;
    const reused = audience === undefined ? await workloads.forDeployment(running) : undefined;
    if (reused !== undefined) return reused;
    await count('runtime-token', deployment.id, limitOfMints);
    const { environment } = deployment;
    const workload: Workload = { team, project, environment, runtime: 'function', deployment };
    // Without an audience it was refused already: asked again, it says why, under this request's reference.
    const minted = await workloads.mint(workload, {
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

function readAsked(context: DoorContext): { audience: string | undefined; format: 'json' | 'text' } {
  const query = readQuery(context);
  const unknown = [...query.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) {
    throw publicError('bad_request', {
      description: `The query has "${unknown.slice(0, 64)}". Expected nothing but "audience" and "format".`,
    });
  }
  const format = query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'text') {
    throw publicError('bad_request', { description: 'The "format" is neither "json" nor "text".' });
  }
  const audience = query.get('audience');
  if (audience !== undefined && audience.length > audienceLimitCharacters) {
    throw publicError('invalid_target', {
      description: `The audience has more than ${audienceLimitCharacters} characters.`,
    });
  }
  return { audience, format };
}
