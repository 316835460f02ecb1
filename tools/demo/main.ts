import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { demoUsage, parseDemoOptions, type DemoOptions } from './options.ts';
import { createPrograms, findPorts, isPortTaken, type Programs } from './programs.ts';
import { formatGuide, formatJson, type Demo } from './report.ts';
import { resetDatabase, resetFolder } from './reset.ts';
import { baseUrlsOf, createPassword, setUpWorld, type BaseUrls, type World } from './world.ts';

const listening = /^listening: (\S+)/;

const identityProviderClient = { clientId: 'tessera', clientSecret: randomBytes(24).toString('base64url') };
const identityProviderLogin = { username: 'grace', password: createPassword() };

await run();

async function run(): Promise<void> {
  let options: DemoOptions;
  try {
    options = parseDemoOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${demoUsage}`);
    process.exitCode = 2;
    return;
  }
  const logs = join(options.data, 'logs');
  const programs = createPrograms(logs, (problem) => end(1, problem));
  let ending = false;
  function end(status: number, problem?: unknown): void {
    if (ending) return;
    ending = true;
    if (problem !== undefined) console.error(problem instanceof Error ? problem.message : problem);
    void programs.stop().then(() => process.exit(status));
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0));
  // npm does not pass a SIGTERM on: without it above us, nobody would end what runs here.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || end(0), 500).unref();

  try {
    if (await isPortTaken(options.port)) {
      throw new Error(`port ${options.port} is taken: choose another, npm run demo -- --port N`);
    }
    resetFolder(options.data);
    mkdirSync(logs, { recursive: true });
    await resetDatabase(options.database);
    const demo = await start(options, programs);
    console.log(options.json ? formatJson(demo) : formatGuide(demo));
  } catch (error) {
    end(1, error);
  }
}

async function start(options: DemoOptions, programs: Programs): Promise<Demo> {
  const [operations = 0, app = 0, upstream = 0, api = 0, provider = 0] = await findPorts(options.port + 1, 5);
  const urls = baseUrlsOf(`http://localhost:${options.port}`);
  const identityProvider = { issuer: `http://localhost:${provider}`, ...identityProviderLogin };
  const verifyingApiUrl = `http://localhost:${api}`;

  const [setUpLink] = await Promise.all([
    programs.start({
      name: 'tessera',
      file: 'packages/server/src/main.ts',
      args: ['serve'],
      environment: {
        TESSERA_PUBLIC_URL: urls.origin,
        TESSERA_LISTEN: `127.0.0.1:${options.port}`,
        TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${operations}`,
        TESSERA_DATA: join(options.data, 'tessera'),
        TESSERA_DATABASE_URL: options.database,
        // On SQLite the server makes its own; the nodes of a PostgreSQL have to be given one.
        ...(options.database.startsWith('sqlite:')
          ? {}
          : { TESSERA_MASTER_KEY: randomBytes(32).toString('base64url') }),
        // The identity provider of the demo is on this machine, which a real one never is.
        TESSERA_ALLOW_PRIVATE_HOSTS: `localhost:${provider}`,
      },
      until: /^set-up link: (\S+)/,
    }),
    programs.start({
      name: 'identity-provider',
      file: 'examples/identity-provider/main.ts',
      environment: {
        PORT: String(provider),
        CLIENT_ID: identityProviderClient.clientId,
        CLIENT_SECRET: identityProviderClient.clientSecret,
        REDIRECT_URI: `${urls.connect}/callback`,
        LOGIN_USERNAME: identityProvider.username,
        LOGIN_PASSWORD: identityProvider.password,
      },
      until: listening,
    }),
  ]);

  const world = await setUpWorld(urls, setUpLink, {
    redirectUri: `http://localhost:${app}/callback`,
    upstream: `http://127.0.0.1:${upstream}`,
    identityProvider: { issuer: identityProvider.issuer, ...identityProviderClient },
  });
  await startExamples(programs, urls, world, { app, upstream, api });
  const aroundTheGateway = `http://localhost:${upstream}`;
  await requireClosed(aroundTheGateway);

  return {
    ...urls,
    world,
    appUrl: `http://localhost:${app}`,
    identityProvider,
    verifyingApiUrl,
    aroundTheGateway,
    data: options.data,
  };
}

/** Whoever reaches the deployment around the gateway is nobody: it must not let them in, nor invent somebody. */
async function requireClosed(upstream: string): Promise<void> {
  const { status } = await fetch(upstream);
  if (status >= 400) return;
  throw new Error(
    `the deployment answers ${status} to a request without a visitor's token (${upstream}); ` +
      'with @vercel/passport set VERCEL_ENV or VERCEL_PASSPORT_DEV=0',
  );
}

async function startExamples(
  programs: Programs,
  urls: BaseUrls,
  world: World,
  ports: { app: number; upstream: number; api: number },
): Promise<void> {
  const { team, project, deployment } = world;
  await Promise.all([
    programs.start({
      name: 'sign-in-app',
      file: 'examples/sign-in-app/main.ts',
      environment: {
        PORT: String(ports.app),
        ISSUER: urls.origin,
        CLIENT_ID: world.app.clientId,
        CLIENT_SECRET: world.app.clientSecret,
      },
      until: listening,
    }),
    programs.start({
      name: 'protected-deployment',
      file: 'examples/protected-deployment/main.ts',
      environment: {
        PORT: String(ports.upstream),
        PASSPORT_ISSUER: `${urls.passport}/${team.slug}`,
        PASSPORT_AUDIENCE: `${urls.origin}/${team.slug}/${project.name}/${deployment.environment}`,
        VERIFYING_API_URL: `http://localhost:${ports.api}`,
        // An app with `@vercel/passport` would invent a visitor if nobody said where it runs.
        VERCEL_ENV: deployment.environment,
        VERCEL_PROJECT_ID: project.id,
      },
      until: listening,
    }),
    programs.start({
      name: 'verifying-api',
      file: 'examples/verifying-api/main.ts',
      environment: {
        PORT: String(ports.api),
        ISSUER: `${urls.oidc}/${team.slug}`,
        AUDIENCE: `${urls.origin}/${team.slug}`,
        SUBJECT: `owner:${team.slug}:project:${project.name}:environment:${deployment.environment}`,
      },
      until: listening,
    }),
  ]);
}
