import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCallingDeployment } from '../../examples/calling-deployment/server.ts';
import { startVerifyingApi } from '../../examples/verifying-api/server.ts';
import type { Running } from '../../examples/listen.ts';
import { findFreePort } from '../harness/free-port.ts';
import { send } from '../harness/send.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

const audience = 'https://orders.example.com';
const root = join(import.meta.dirname, '../..');

/** Runs what the guide shows: the documentation check holds its samples against these very programs. */
describe('the guide to an own API', () => {
  let world: FederationWorld;
  const running: Running[] = [];
  let apiUrl: string;
  beforeAll(async () => {
    world = await createFederationWorld('sqlite');
    const { oidc } = world.tessera.urls;
    const api = await startVerifyingApi({
      port: await findFreePort(),
      issuer: `${oidc}/acme`,
      audience,
      subject: 'owner:acme:project:shop:environment:production',
    });
    running.push(api);
    apiUrl = api.url;
  });
  afterAll(async () => {
    await Promise.all(running.map((each) => each.close()));
    await world?.tessera.close();
  });

  async function deploy(environment: 'production' | 'preview', git?: object): Promise<string> {
    const deployed = await startCallingDeployment({
      port: await findFreePort(),
      oidc: world.tessera.urls.oidc,
      apiUrl,
      audience,
    });
    running.push(deployed);
    const { url } = await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId: world.project.id,
        environment,
        upstream: deployed.url.replace('localhost', '127.0.0.1'),
        ...(git === undefined ? {} : { git }),
      },
    });
    return url;
  }

  const call = (token: string) => send(apiUrl, { headers: { authorization: `Bearer ${token}` } });

  test('a deployment gets in once its project lists the API, and not before', async () => {
    const url = await deploy('production');
    const early = await send(url);
    expect([early.status, early.text]).toEqual([502, expect.stringContaining('invalid_target')]);
    await world.configure({ audiences: [audience] });
    for (let request = 0; request < 2; request++) {
      const answer = await send(url, { headers: { 'x-vercel-oidc-token': 'forged' } });
      expect([answer.status, answer.text]).toEqual([
        200,
        'OK, owner:acme:project:shop:environment:production',
      ]);
    }
  });

  test('a preview, and the build of a fork, do not get in (federation-02)', async () => {
    expect((await send(await deploy('preview'))).status).toBe(401);
    const fork = await send(await deploy('production', { ref: 'main', fork: true }));
    expect([fork.status, fork.text]).toEqual([502, expect.stringContaining('the gateway gave no token')]);
  });

  test('the API refuses the token that every receiver has seen, and tokens of others (federation-07)', async () => {
    const production = await world.mintToken(world.builderToken, { environment: 'production' });
    expect((await call(production)).status).toBe(401);
    expect((await call(await world.exchangeToken(production, audience))).status).toBe(200);
    const preview = await world.mintToken(world.builderToken, { environment: 'preview' });
    expect((await call(await world.exchangeToken(preview, audience))).status).toBe(401);
    expect((await send(apiUrl)).status).toBe(401);
  });

  test('every program that the guide shows is one that ran here', () => {
    const guide = readFileSync(join(root, 'docs/guides/own-api.md'), 'utf8');
    const samples = [...guide.matchAll(/^```ts from=(\S+)$/gm)].map(([, from]) => from);
    expect(samples).toEqual(['examples/verifying-api/server.ts', 'examples/calling-deployment/server.ts']);
  });
});
