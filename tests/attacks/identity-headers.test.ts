import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const forged = 'forged-by-the-client';
const ownNames = [
  'x-vercel-oidc-passport-token',
  'x-vercel-oidc-token',
  'x-vercel-trusted-oidc-idp-token',
  'x-vercel-protection-bypass',
  'x-vercel-set-bypass-cookie',
];
/** Every character that may stand in a header name besides letters and digits (RFC 9110 section 5.6.2). */
const separators = [..."!#$%&'*+-.^_`|~"];

const spellings: [string, (name: string) => string][] = [
  ['in lower case', (name) => name],
  ['in upper case', (name) => name.toUpperCase()],
  ['in mixed case', (name) => name.replace(/[aeiou]/g, (letter) => letter.toUpperCase())],
  ...separators.map((separator): [string, (name: string) => string] => [
    `with ${separator} for -`,
    (name) => name.replaceAll('-', separator),
  ]),
  ['with one _ among the -', (name) => name.replace('-oidc', '_oidc').replace('-protection', '_protection')],
];

describe('a header that only the gateway may set', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let visitor: Visitor;
  let openUrl: string;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    visitor = createVisitor();
    await passPassport(visitor, `${world.deployment.url}/`);
    openUrl = await createOpenDeployment(world);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  /** To the protected deployment with the visitor's session, and to one that anybody may see. */
  function targets(): { url: string; cookie: string[] }[] {
    const protectedUrl = `${world.deployment.url}/`;
    return [
      { url: protectedUrl, cookie: ['Cookie', visitor.cookies.header(new URL(protectedUrl)) ?? ''] },
      { url: openUrl, cookie: [] },
    ];
  }

  test.each(spellings)('never arrives when the client sends it %s (federation-16)', async (_title, spell) => {
    for (const { url, cookie } of targets()) {
      const headers = ownNames.flatMap((name) => [spell(name), forged]);
      expectNothingForged(await send(url, { headers: [...cookie, ...headers] }));
    }
  });

  test('never arrives when the client sends it twice', async () => {
    for (const { url, cookie } of targets()) {
      const headers = ownNames.flatMap((name) => [name, forged, name.toUpperCase(), `${forged}-again`]);
      expectNothingForged(await send(url, { headers: [...cookie, ...headers] }));
    }
  });

  test('cannot be removed by naming it in Connection', async () => {
    const [{ url, cookie }] = targets() as [{ url: string; cookie: string[] }];
    for (const listed of [ownNames.join(', '), ownNames.join(', ').toUpperCase()]) {
      const answer = await send(url, {
        headers: [...cookie, 'Connection', `close, ${listed}`, 'X-Vercel-Oidc-Passport-Token', forged],
      });
      const { headers } = expectNothingForged(answer);
      expect(headers['x-vercel-oidc-passport-token'], 'ours is still there').toMatch(/^eyJ/);
    }
  });

  test('never arrives as a trailer', async () => {
    for (const { url, cookie } of targets()) {
      const body = await sendRaw(new URL(url), [
        'POST / HTTP/1.1',
        `Host: ${new URL(url).host}`,
        ...(cookie[1] === undefined ? [] : [`Cookie: ${cookie[1]}`]),
        'Transfer-Encoding: chunked',
        `Trailer: ${ownNames.join(', ')}`,
        'Connection: close',
        '',
        '5',
        'hello',
        '0',
        ...ownNames.map((name) => `${name}: ${forged}`),
        '',
        '',
      ]);
      expect(body).toContain('200');
      expect(body).not.toContain(forged);
    }
  });

  test('tells the deployment who visits, once, whatever the client sent', async () => {
    const [{ url, cookie }] = targets() as [{ url: string; cookie: string[] }];
    const { rawHeaders, headers } = expectNothingForged(
      await send(url, { headers: [...cookie, 'x-vercel-oidc-passport-token', forged] }),
    );
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(names.filter((name) => name === 'x-vercel-oidc-passport-token')).toHaveLength(1);
    expect(headers['cookie'] ?? '', 'the session cookie is not for the upstream').not.toContain(
      '_vercel_passport',
    );
  });
});

function expectNothingForged(answer: { status: number; text: string; json(): unknown }): Echo {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).not.toContain(forged);
  return answer.json() as Echo;
}

/** A project without protection: its gateway strips the same. */
async function createOpenDeployment({ call, team, upstream }: PassportWorld): Promise<string> {
  const query = { teamId: team.id };
  const project = await call('projects.create', { query, body: { name: 'open' } });
  const { url } = await call('deployments.create', {
    query,
    body: {
      projectId: project.id,
      environment: 'production',
      upstream: upstream.url.replace('localhost', '127.0.0.1'),
    },
  });
  return new URL('/', url).href;
}

async function sendRaw(url: URL, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(url.port), '127.0.0.1', () => socket.write(lines.join('\r\n')));
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(received));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer: ${received}`)));
  });
}
