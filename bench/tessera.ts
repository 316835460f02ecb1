import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createApiToken, setUpPerson } from '../tests/harness/front-door.ts';
import { send } from '../tests/harness/send.ts';
import { createTesseraEnvironment, type BaseUrls } from '../tests/harness/tessera-environment.ts';
import type { Client } from './client.ts';
import { startServer, type ServerProcess } from './process.ts';

/** What `npm start` runs: the figures are those that people get. */
function readStartParameters(): string[] {
  const file = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { scripts } = JSON.parse(file) as { scripts: { start: string } };
  const [command, ...parameters] = scripts.start.split(' ');
  if (command !== 'node') throw new Error(`npm start is not a call of node: ${scripts.start}`);
  return parameters;
}

/** Ours, with a team and one app, set up through the front door as anybody would. */
export type RunningTessera = BaseUrls & { server: ServerProcess; client: Client };

/** A fresh instance on a SQLite file of its own, which goes away with it, and an app that asks in its own name. */
export async function startTessera(say: (line: string) => void): Promise<RunningTessera> {
  const { urls, server, made } = await startSetUp(say, createClient);
  return { ...urls, client: made, server };
}

/** The same, with whatever `setUp` makes of it by its set-up link. */
export async function startSetUp<Made>(
  say: (line: string) => void,
  setUp: (urls: BaseUrls, setUpLink: string) => Promise<Made>,
  more: Readonly<Record<string, string>> = {},
): Promise<{ urls: BaseUrls; server: ServerProcess; made: Made; databaseFile: string }> {
  const { folder, urls, server } = await startEmpty(more);
  try {
    const link = server.lines.find((line) => line.startsWith('set-up link: '))?.slice('set-up link: '.length);
    if (link === undefined) throw new Error('the first start printed no set-up link');
    const made = await setUp(urls, link);
    say('tessera is set up');
    return {
      urls,
      made,
      server: { ...server, stop: () => stopAndForget(server, folder) },
      databaseFile: databaseFileIn(folder),
    };
  } catch (error) {
    await stopAndForget(server, folder);
    throw error;
  }
}

/** Starts on an empty folder; resolves when the process says that it listens. */
export async function startEmpty(
  more: Readonly<Record<string, string>> = {},
): Promise<{ folder: string; urls: BaseUrls; server: ServerProcess }> {
  // A relative path would be read from where the process starts; the folder is not known before this call.
  const environment = await createTesseraEnvironment(
    { kind: 'sqlite', url: 'sqlite::memory:', remove: async () => undefined },
    more,
  );
  const { folder, urls } = environment;
  const variables = {
    ...environment.variables,
    TESSERA_DATABASE_URL: `sqlite:${databaseFileIn(folder)}`,
  };
  const server = await startServer(readStartParameters(), variables, (line) => line.startsWith('listening'));
  return { folder, urls, server };
}

function databaseFileIn(folder: string): string {
  return join(folder, 'tessera.db');
}

export async function stopAndForget(server: ServerProcess, folder: string): Promise<void> {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function createClient(urls: BaseUrls, setUpLink: string): Promise<Client> {
  const person = await setUpPerson(setUpLink, {
    email: 'bench@example.com',
    password: 'a password for one bench',
    name: 'Bench',
  });
  const apiToken = await createApiToken(urls.origin, person, { name: 'bench' });
  const call = async (path: string, body: object) => {
    const answer = await send(`${urls.api}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status >= 300) throw new Error(`POST ${path} answered ${answer.status}: ${answer.text}`);
    return answer.json() as { id: string; clientSecret?: string };
  };
  const team = await call('/v1/teams', { slug: 'bench', name: 'Bench' });
  const app = await call(`/v1/apps?teamId=${team.id}`, {
    name: 'Bench',
    redirectUris: [],
    scopes: ['openid'],
    tokenEndpointAuthMethods: ['client_secret_basic'],
    signInAccess: 'team',
  });
  const { clientSecret } = await call(`/v1/apps/${app.id}/secrets?teamId=${team.id}`, {});
  if (clientSecret === undefined) throw new Error('the new secret was not shown');
  return { id: app.id, secret: clientSecret };
}
