import { createServer } from 'node:http';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen, type Running } from '../../examples/listen.ts';
import { findFreePort } from '../harness/free-port.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

// That SDKs of AWS take what this answers, and a token service the tokens: tests/clients/clouds.

const role = 'arn:aws:iam::123456789012:role/shop';
const credentials = `<A><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>a/b+c&amp;d</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></A>`;
type Answered = { status: number; body: string; headers?: Record<string, string> };

describe.each(databaseKinds)('credentials of AWS for a running deployment, on %s', (kind) => {
  let world: FederationWorld;
  let sts: Running;
  let listener: string;
  let secret: string;
  let deploymentId: string;
  let answered: Answered;
  let received: URLSearchParams | undefined;

  beforeAll(async () => {
    sts = await listen(
      createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', (part: string) => (body += part));
        request.once('end', () => {
          received = new URLSearchParams(body);
          const repeated = answered.body.replace('{token}', received.get('WebIdentityToken') ?? '');
          response.writeHead(answered.status, answered.headers).end(repeated);
        });
      }),
      0,
    );
    const port = await findFreePort();
    listener = `http://127.0.0.1:${port}`;
    world = await createFederationWorld(kind, {
      variables: {
        TESSERA_WORKLOAD_LISTEN: `127.0.0.1:${port}`,
        TESSERA_STS_URL: sts.url,
        TESSERA_ALLOW_PRIVATE_HOSTS: new URL(sts.url).host,
      },
    });
    await world.configure({ audiences: ['sts.amazonaws.com', 'minio'] });
    ({ workloadSecret: secret, id: deploymentId } = await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: { projectId: world.project.id, environment: 'production', upstream: 'http://127.0.0.1:9' },
    }));
  });
  afterAll(async () => {
    await world?.tessera.close();
    await sts?.close();
  });

  const ask = (query: Record<string, string> = { roleArn: role }, headers: Record<string, string> = {}) => {
    received = undefined;
    return send(`${listener}/aws-credentials?${new URLSearchParams(query).toString()}`, {
      headers: { authorization: `Bearer ${secret}`, ...headers },
    });
  };
  const records = async () =>
    (await world.call('audit-log.list', { query: { teamId: world.team.id } })).records;

  test('come for a token of the deployment that is for the token service alone and lives for minutes', async () => {
    answered = { status: 200, body: credentials };
    const answer = await ask({ roleArn: role, durationSeconds: '900' });
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(answer.json()).toEqual({
      AccessKeyId: 'ASIA1',
      SecretAccessKey: 'a/b+c&d',
      Token: 't',
      Expiration: '2030-01-01T00:00:00Z',
      RoleArn: role,
    });
    const { WebIdentityToken: token = '', ...form } = Object.fromEntries(received ?? []);
    expect(form).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: role,
      RoleSessionName: deploymentId,
      DurationSeconds: '900',
    });
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({
      aud: 'sts.amazonaws.com',
      sub: 'owner:acme:project:shop:environment:production',
      deployment_id: deploymentId,
    });
    expect(Number(claims.exp) - Number(claims.iat)).toBe(300);
    const minted = (await records()).find(({ object }) => object === claims.jti);
    expect(minted).toMatchObject({
      action: 'workload-token.mint',
      actor: deploymentId,
      after: { source: 'aws-credentials', audience: 'sts.amazonaws.com' },
    });
    expect(JSON.stringify(await records())).not.toMatch(/ASIA1|a\/b\+c/);
  });

  test('come from a service without roles too, for its own audience', async () => {
    answered = { status: 200, body: credentials };
    const answer = await ask({ audience: 'minio' });
    expect(answer.json()).not.toHaveProperty('RoleArn');
    expect(received?.has('RoleArn')).toBe(false);
    expect(decodeJwt(received?.get('WebIdentityToken') ?? '').aud).toBe('minio');
  });

  test('are refused with what the service said, never with the token', async () => {
    answered = {
      status: 403,
      body: '<E><Error><Code>AccessDenied</Code><Message>Not &lt;you&gt;\n with {token}</Message></Error></E>',
    };
    const answer = await ask();
    expect([answer.status, answer.json()]).toEqual([
      403,
      expect.objectContaining({
        code: 'sts_refused',
        Code: 'sts_refused',
        Message: expect.stringContaining('AccessDenied: Not <you>  with [token]') as string,
      }),
    ]);
    expect(answer.text).not.toContain(received?.get('WebIdentityToken'));
  });

  test.each<[string, Answered]>([
    ['a page', { status: 200, body: '<html>' }],
    ['no time', { status: 200, body: credentials.replace('2030-01-01T00:00:00Z', 'soon') }],
    ['no key', { status: 200, body: credentials.replace('ASIA1', '') }],
    ['an error of its own', { status: 500, body: '<Error><Code>X</Code></Error>' }],
    ['no reason', { status: 403, body: '' }],
    ['too much', { status: 200, body: credentials + ' '.repeat(300_000) }],
    ['a redirect', { status: 307, body: '', headers: { location: 'http://169.254.169.254/' } }],
  ])('are not made up from %s', async (_, body) => {
    answered = body;
    const answer = await ask();
    expect([answer.status, answer.json()]).toMatchObject([502, { code: 'sts_unreachable' }]);
  });

  test('are for nobody but the deployment, and the token service hears of nobody else', async () => {
    answered = { status: 200, body: credentials };
    const refuses = async (
      status: number,
      code: string,
      query?: Record<string, string>,
      headers?: object,
    ) => {
      const answer = await ask(query, headers as Record<string, string>);
      expect([answer.status, answer.json()], code).toMatchObject([status, { code }]);
      expect(received, code).toBeUndefined();
    };
    await refuses(401, 'workload_secret_refused', undefined, { authorization: 'Bearer dws_wrong' });
    await refuses(403, 'not_beside_us', undefined, { origin: 'https://evil.example' });
    await refuses(403, 'not_beside_us', undefined, { 'x-forwarded-for': '127.0.0.1' });
    await refuses(403, 'not_beside_us', undefined, { host: 'evil.example' });
    await refuses(400, 'invalid_target', { roleArn: role, audience: 'https://evil.example' });
    await refuses(400, 'bad_request', { roleArn: 'shop' });
    await refuses(400, 'bad_request', { roleArn: 'arn:aws:iam::123456789012:user/shop' });
    await refuses(400, 'bad_request', { roleArn: `${role}&Action=GetCallerIdentity` });
    await refuses(400, 'bad_request', { roleArn: role, durationSeconds: '60' });
    await refuses(400, 'bad_request', { roleArn: role, durationSeconds: '1e4' });
    await refuses(400, 'bad_request', { roleArn: role, stsUrl: 'https://evil.example' });
    expect((await send(`${listener}/aws-credentials`, { method: 'POST' })).status).toBe(405);
    expect((await send(`${world.tessera.urls.api}/aws-credentials`)).status).toBe(404);
  });

  test('are asked for at most sixty times a minute by one deployment', async () => {
    answered = { status: 200, body: credentials };
    world.tessera.advance(2 * 60_000);
    const statuses: number[] = [];
    for (let each = 0; each < 61; each++) statuses.push((await ask()).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(60);
    expect(statuses.at(-1)).toBe(429);
    world.tessera.advance(2 * 60_000);
  });
});

describe('credentials of AWS, where the operator', () => {
  const askAt = async (variables: Record<string, string>) => {
    const port = await findFreePort();
    const world = await createFederationWorld('sqlite', {
      variables: { TESSERA_WORKLOAD_LISTEN: `127.0.0.1:${port}`, ...variables },
    });
    try {
      await world.configure({ audiences: ['sts.amazonaws.com'] });
      const { workloadSecret } = await world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: { projectId: world.project.id, environment: 'production', upstream: 'http://127.0.0.1:9' },
      });
      return await send(`http://127.0.0.1:${port}/aws-credentials?roleArn=${encodeURIComponent(role)}`, {
        headers: { authorization: `Bearer ${workloadSecret}` },
      });
    } finally {
      await world.tessera.close();
    }
  };

  test('names no token service, are not there', async () => {
    const answer = await askAt({});
    expect([answer.status, answer.json()]).toMatchObject([404, { code: 'sts_not_configured' }]);
  });

  test('names one in the private network without allowing that, are not asked for', async () => {
    const answer = await askAt({ TESSERA_STS_URL: 'http://127.0.0.1:9' });
    expect([answer.status, answer.json()]).toMatchObject([502, { code: 'sts_unreachable' }]);
  });
});
