import type { createClient } from '../../packages/contract/src/index.ts';
import { createApiToken } from '../harness/front-door.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import type { DatabaseKind } from '../harness/test-databases.ts';

export type FederationWorld = SignInWorld & {
  tessera: RunningTessera;
  project: { id: string; name: string };
  /** An API token that may mint for production and preview of the project. */
  builderToken: string;
  /** `POST /v1/projects/{idOrName}/token`, as a client without our packages sends it. */
  mint(bearer: string, body?: object, path?: string): Promise<Answer>;
  /** The same, to the token itself. */
  mintToken(bearer: string, body?: object): Promise<string>;
  /** `POST {oidc}/~token`, as `@vercel/oidc` sends it. */
  exchange(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** The same, to the token itself. */
  exchangeToken(token: string, aud: string): Promise<string>;
  /** Sets what workload tokens of the project are like. */
  configure(oidcTokenConfig: object): Promise<void>;
  /** What the introspection endpoint tells the team's app. */
  introspect(token: string): Promise<Record<string, unknown>>;
};

/** A team with one project, and who may mint what in it. */
export async function createFederationWorld(
  kind: DatabaseKind,
  options: Parameters<typeof startTessera>[1] = {},
): Promise<FederationWorld> {
  const tessera = await startTessera(kind, options);
  try {
    const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const project = await createProject(world.call, world.team.id, 'shop');
    const builderToken = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'builder',
      teamSlug: world.team.slug,
      builds: [
        { projectId: project.id, environment: 'production' },
        { projectId: project.id, environment: 'preview' },
      ],
    });
    const mint = (
      bearer: string,
      body?: object,
      path = `/v1/projects/${project.name}/token?teamId=${world.team.id}`,
    ) =>
      send(`${tessera.urls.api}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const exchange = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
      send(`${tessera.urls.oidc}/~token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    return {
      ...world,
      tessera,
      project,
      builderToken,
      mint,
      async mintToken(bearer, body) {
        const answer = await mint(bearer, body);
        if (answer.status !== 200) throw new Error(`no token, but ${answer.status}: ${answer.text}`);
        return (answer.json() as { token: string }).token;
      },
      exchange,
      async exchangeToken(token, aud) {
        const answer = await exchange({ token, aud });
        if (answer.status !== 200) throw new Error(`no exchange, but ${answer.status}: ${answer.text}`);
        return (answer.json() as { token: string }).token;
      },
      async configure(oidcTokenConfig) {
        await world.call('projects.update', {
          params: { idOrName: project.id },
          query: { teamId: world.team.id },
          body: { oidcTokenConfig },
        });
      },
      async introspect(token) {
        const basic = Buffer.from(`${world.app.clientId}:${world.app.clientSecret}`).toString('base64');
        const url = `${tessera.urls.api}/login/oauth/token/introspect`;
        const answer = await sendForm(url, { token }, { authorization: `Basic ${basic}` });
        if (answer.status !== 200) throw new Error(`introspection answered ${answer.status}: ${answer.text}`);
        return answer.json() as Record<string, unknown>;
      },
    };
  } catch (error) {
    await tessera.close();
    throw error;
  }
}

export async function createProject(
  call: ReturnType<typeof createClient>,
  teamId: string,
  name: string,
): Promise<{ id: string; name: string }> {
  return call('projects.create', { query: { teamId }, body: { name } });
}
