import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProblemError } from '../../packages/contract/src/index.ts';
import { findFreePort } from '../harness/free-port.ts';
import { runTessera } from '../harness/run-tessera.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

type Asked = { path?: string; method?: string; headers?: Record<string, string> };
type Answer = { status: number; headers: NodeJS.Dict<string | string[]>; text: string };
type Got = { token: string; expiresAt: number };
const minute = 60_000;

const kinds = databaseKinds.flatMap((kind) => [
  { kind, by: 'socket' as const },
  { kind, by: 'loopback' as const },
]);

describe.each(kinds)('the token endpoint of running deployments on $kind, by $by', ({ kind, by }) => {
  let world: FederationWorld;
  let place: { socketPath: string } | { host: string; port: number };
  let ownHost: string;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-socket-'));
    const port = await findFreePort();
    const socketPath = join(folder, 'workload.sock');
    place = by === 'socket' ? { socketPath } : { host: '127.0.0.1', port };
    ownHost = by === 'socket' ? 'localhost' : `127.0.0.1:${port}`;
    const listen = by === 'socket' ? `unix:${socketPath}` : ownHost;
    world = await createFederationWorld(kind, { variables: { TESSERA_WORKLOAD_LISTEN: listen } });
  });
  afterAll(async () => {
    await world?.tessera.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function ask(secret: string | undefined, { path = '/token', method = 'GET', headers }: Asked = {}) {
    return new Promise<Answer>((resolve, reject) => {
      const authorization = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
      const asking = request(
        { ...place, path, method, headers: { host: ownHost, ...authorization, ...headers } },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          );
        },
      );
      asking.once('error', reject);
      asking.end();
    });
  }
  const codeOf = ({ text }: Answer) => (JSON.parse(text) as { code: string }).code;
  const got = ({ text }: Answer) => JSON.parse(text) as Got;

  const deploy = async (environment = 'production', more: object = {}) =>
    world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: { projectId: world.project.id, environment, upstream: 'http://127.0.0.1:9', ...more },
    });
  const records = async () =>
    (await world.call('audit-log.list', { query: { teamId: world.team.id } })).records;

  test('by its workload secret a deployment gets its own token, the same for ninety minutes', async () => {
    const deployment = await deploy();
    const answer = await ask(deployment.workloadSecret);
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    const { token, expiresAt } = got(answer);
    const { oidc, origin } = world.tessera.urls;
    const keySet = (await send(`${oidc}/acme/.well-known/jwks`)).json() as JSONWebKeySet;
    const { payload } = await jwtVerify(token, createLocalJWKSet(keySet), {
      issuer: `${oidc}/acme`,
      audience: `${origin}/acme`,
    });
    expect(payload).toMatchObject({
      sub: 'owner:acme:project:shop:environment:production',
      deployment_id: deployment.id,
      runtime: 'function',
    });
    expect(expiresAt).toBe((payload.exp ?? 0) * 1000);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(7_200);
    expect(await world.introspect(token)).toMatchObject({ active: true });

    world.tessera.advance(89 * minute);
    expect(got(await ask(deployment.workloadSecret)).token).toBe(token);
    world.tessera.advance(2 * minute);
    const next = got(await ask(deployment.workloadSecret));
    expect(next.token).not.toBe(token);
    expect(next.expiresAt).toBeGreaterThan(expiresAt);

    const minted = (await records()).filter(
      ({ action, actor }) => action === 'workload-token.mint' && actor === deployment.id,
    );
    expect(new Set(minted.map(({ object }) => object))).toEqual(
      new Set([payload.jti, decodeJwt(next.token).jti]),
    );
    expect(minted).toHaveLength(2);
  });

  test('federation-17: wrong secrets, and other credentials, get nothing', async () => {
    const { workloadSecret: secret, id } = await deploy();
    const forged = `${secret.slice(0, -1)}${secret.endsWith('a') ? 'b' : 'a'}`;
    for (const wrong of [undefined, '', forged, 'dws_', world.apiToken, world.builderToken, id]) {
      const answer = await ask(wrong);
      expect([answer.status, codeOf(answer)]).toEqual([401, 'workload_secret_refused']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(Boolean(wrong) && answer.text.includes(wrong ?? '')).toBe(false);
    }
    for (const path of [`/token?secret=${secret}`, `/token?audience=a&audience=b`, '/token?format=xml']) {
      const answer = await ask(path.includes('secret') ? undefined : secret, { path });
      expect(answer.status, path).toBe(400);
      expect(answer.text).not.toContain(secret);
    }
  });

  test('federation-17: another deployment’s secret gets another deployment’s token, never this one’s', async () => {
    const [production, preview] = [await deploy('production'), await deploy('preview')];
    const [one, other] = [await ask(production.workloadSecret), await ask(preview.workloadSecret)];
    expect(decodeJwt(got(one).token)).toMatchObject({
      deployment_id: production.id,
      environment: 'production',
    });
    expect(decodeJwt(got(other).token)).toMatchObject({ deployment_id: preview.id, environment: 'preview' });
  });

  test('federation-17: a deleted deployment gets none, and the one it had is over', async () => {
    const { id, workloadSecret } = await deploy();
    const { token } = got(await ask(workloadSecret));
    await world.call('deployments.delete', { params: { id }, query: { teamId: world.team.id } });
    const answer = await ask(workloadSecret);
    expect([answer.status, codeOf(answer)]).toEqual([401, 'workload_secret_refused']);
    expect(await world.introspect(token)).toEqual({ active: false });
  });

  const rotate = (id: string, body: { previousExpiresInSeconds?: number } = {}) =>
    world.call('deployments.rotate-secret', { params: { id }, query: { teamId: world.team.id }, body });

  test('a new secret counts beside the one from before, until that one’s end', async () => {
    const { id, workloadSecret: first } = await deploy();
    const { token } = got(await ask(first));
    const { workloadSecret: second, previousExpiresAt } = await rotate(id, { previousExpiresInSeconds: 600 });
    expect(second).not.toBe(first);
    for (const secret of [first, second]) expect(got(await ask(secret)).token).toBe(token);
    world.tessera.advance(11 * minute);
    expect([(await ask(first)).status, (await ask(second)).status]).toEqual([401, 200]);

    // Never more than two: the oldest is over with the next.
    const { workloadSecret: third } = await rotate(id);
    const { workloadSecret: fourth } = await rotate(id);
    const statuses: number[] = [];
    for (const secret of [first, second, third, fourth]) statuses.push((await ask(secret)).status);
    expect(statuses).toEqual([401, 401, 200, 200]);

    // A stolen one is over at once.
    const { workloadSecret: fifth } = await rotate(id, { previousExpiresInSeconds: 0 });
    expect([(await ask(fourth)).status, (await ask(fifth)).status]).toEqual([401, 200]);

    const rotated = (await records()).filter(
      ({ action, object }) => action === 'deployment.rotate-secret' && object === id,
    );
    expect(rotated).toHaveLength(4);
    expect(rotated.at(-1)).toMatchObject({ after: { previousExpiresAt } });
    for (const secret of [first, second, fifth]) expect(JSON.stringify(rotated)).not.toContain(secret);
    const read = await world.call('deployments.get', { params: { id }, query: { teamId: world.team.id } });
    expect(JSON.stringify(read)).not.toMatch(/secret/i);
    await world.call('deployments.delete', { params: { id }, query: { teamId: world.team.id } });
    expect((await ask(fifth)).status).toBe(401);
  });

  test('of secrets that are made at once, the last and one from before count, whoever asked', async () => {
    const { id, workloadSecret } = await deploy();
    const tried = await Promise.allSettled(Array.from({ length: 8 }, () => rotate(id)));
    const made = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value.workloadSecret] : []));
    const refused = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason as ProblemError] : []));
    expect(refused.every(({ problem }) => problem.code === 'changed_meanwhile')).toBe(true);
    const statuses: number[] = [];
    for (const secret of [workloadSecret, ...made]) statuses.push((await ask(secret)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  });

  test('federation-17: what comes through a browser or a proxy is refused, the right secret beside it', async () => {
    const { workloadSecret } = await deploy();
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://${ownHost}` },
      { referer: 'https://evil.example/' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' },
      { 'Sec-Fetch-Dest': 'empty' },
      { 'X-Forwarded-For': '127.0.0.1' },
      { 'x-forwarded-host': ownHost },
      { 'x-forwarded-anything': '' },
      { forwarded: 'for=127.0.0.1' },
      { via: '1.1 proxy' },
      { 'x-real-ip': '127.0.0.1' },
      { cookie: 'a=b' },
    ];
    for (const headers of foreign) {
      for (const path of ['/token', '/elsewhere']) {
        const answer = await ask(workloadSecret, { headers, path });
        expect([answer.status, codeOf(answer)], JSON.stringify(headers)).toEqual([403, 'not_beside_us']);
        expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      }
    }
  });

  test('federation-17: a page whose name was rebound to us is refused by the host it names', async () => {
    const { workloadSecret } = await deploy();
    const origin = new URL(world.tessera.urls.origin).host;
    for (const host of [
      'evil.example',
      `evil.example:4003`,
      origin,
      'localhost.evil.example',
      '127.0.0.1:1',
    ]) {
      const answer = await ask(workloadSecret, { headers: { host } });
      expect([answer.status, codeOf(answer)], host).toEqual([403, 'not_beside_us']);
    }
  });

  test('federation-17: it is nowhere else: not at the public listener, and nothing else is here', async () => {
    const { workloadSecret } = await deploy();
    const { origin, api, oidc } = world.tessera.urls;
    for (const base of [origin, api, oidc]) {
      const answer = await send(`${base}/token`, { headers: { authorization: `Bearer ${workloadSecret}` } });
      expect(answer.status, base).toBeGreaterThanOrEqual(400);
    }
    for (const path of ['/', '/livez', '/api/v1/projects', '/token/', '/.well-known/openid-configuration']) {
      expect((await ask(workloadSecret, { path })).status, path).toBe(404);
    }
    for (const method of ['HEAD', 'POST', 'OPTIONS', 'DELETE']) {
      const answer = await ask(workloadSecret, { method });
      expect([answer.status, answer.headers['allow']], method).toEqual([405, 'GET']);
      expect(answer.headers).not.toHaveProperty('access-control-allow-methods');
    }
  });

  test('another audience has to be on the list of the project; both are on the record', async () => {
    const { id, workloadSecret } = await deploy();
    const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b';
    const path = `/token?audience=${encodeURIComponent(audience)}`;
    const refused = await ask(workloadSecret, { path });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'invalid_target']);
    await world.configure({ audiences: [audience] });
    const answer = await ask(workloadSecret, { path });
    expect(decodeJwt(got(answer).token)).toMatchObject({ aud: audience, deployment_id: id });
    const text = await ask(workloadSecret, { path: `${path}&format=text` });
    expect(text.headers['content-type']).toMatch(/^text\/plain/);
    expect(decodeJwt(text.text)).toMatchObject({ aud: audience });
    const own = (await records()).filter(({ actor }) => actor === id).map(({ action }) => action);
    expect(own.toSorted()).toEqual(['workload-token.mint', 'workload-token.mint', 'workload-token.refuse']);
    expect(JSON.stringify(await records())).not.toContain(workloadSecret);

    // Once over is once over: what came out for an audience is not exchanged again.
    expect((await world.exchange({ token: text.text, aud: audience })).status).toBe(400);
    await world.configure({ audiences: [] });
  });

  test('forks get none, nor does a project with tokens switched off, and each hears why', async () => {
    const fork = await deploy('preview', { git: { pullRequest: 7, fork: true } });
    const answers = [await ask(fork.workloadSecret), await ask(fork.workloadSecret)];
    for (const answer of answers)
      expect([answer.status, codeOf(answer)]).toEqual([403, 'mint_policy_refused']);
    const { workloadSecret } = await deploy();
    await world.configure({ enabled: false });
    const off = await ask(workloadSecret);
    await world.configure({ enabled: true });
    expect([off.status, codeOf(off)]).toEqual([403, 'oidc_tokens_disabled']);
    expect((await ask(workloadSecret)).status).toBe(200);
  });

  test('wrong secrets are limited, and do not keep a neighbour with the right one out', async () => {
    const { workloadSecret } = await deploy();
    const answers: Answer[] = [];
    for (let each = 0; each < 61; each++) answers.push(await ask('dws_wrong'));
    expect(answers.at(-1)?.status).toBe(429);
    expect(answers.at(-1)?.headers['retry-after']).toBe('60');
    expect((await ask(workloadSecret)).status).toBe(200);
    world.tessera.advance(2 * minute);
    expect((await ask('dws_wrong')).status).toBe(401);
  });

  test('a deployment that asks for a new token again and again is told to keep one', async () => {
    await world.configure({ audiences: ['sts.example'] });
    const [busy, calm] = [await deploy(), await deploy()];
    const path = '/token?audience=sts.example';
    const statuses: number[] = [];
    for (let each = 0; each < 61; each++) statuses.push((await ask(busy.workloadSecret, { path })).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(60);
    expect(statuses.at(-1)).toBe(429);
    expect((await ask(busy.workloadSecret)).status).toBe(200);
    expect((await ask(calm.workloadSecret, { path })).status).toBe(200);
    await world.configure({ audiences: [] });
  });

  test.runIf(by === 'loopback')('Node’s own fetch is no browser', async () => {
    const { workloadSecret } = await deploy();
    for (const host of [ownHost, ownHost.replace('127.0.0.1', 'localhost')]) {
      const answer = await fetch(`http://${host}/token`, {
        headers: { authorization: `Bearer ${workloadSecret}` },
      });
      expect(answer.status).toBe(200);
    }
  });

  test.runIf(by === 'socket')(
    'the socket is for its owner and group, and what a crash left is replaced',
    async () => {
      const { socketPath } = place as { socketPath: string };
      expect(statSync(socketPath).mode & 0o777).toBe(0o660);
      const { workloadSecret } = await deploy();
      // A second process on the same socket would take the first one's callers away.
      const variables = {
        ...world.tessera.environment.variables,
        TESSERA_LISTEN: `127.0.0.1:${await findFreePort()}`,
        TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${await findFreePort()}`,
      };
      await expect(runTessera(variables)).rejects.toThrow('another process listens');
      expect((await ask(workloadSecret)).status).toBe(200);
      const file = join(folder, 'file');
      writeFileSync(file, 'precious');
      await expect(runTessera({ ...variables, TESSERA_WORKLOAD_LISTEN: `unix:${file}` })).rejects.toThrow(
        'no socket',
      );
      expect(existsSync(file)).toBe(true);
      await world.tessera.restart();
      expect((await ask(workloadSecret)).status).toBe(200);
    },
  );
});
