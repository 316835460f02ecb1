import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Echo } from '../harness/echo-upstream.ts';
import { findFreePort } from '../harness/free-port.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';

const credential = 'a-credential-of-a-front-proxy-in-tests';
let tessera: RunningTessera;
let world: PassportWorld;
let decisions: number;

beforeAll(async () => {
  decisions = await findFreePort();
  tessera = await startTessera('sqlite', {
    variables: {
      TESSERA_WIRE_PREFIX: 'acme-x',
      TESSERA_DECISION_LISTEN: `127.0.0.1:${decisions}`,
      TESSERA_DECISION_PROXIES: `edge:${credential}=*.app.localhost`,
    },
  });
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await world?.close();
  await tessera?.close();
});

test('another prefix names every header, cookie, parameter and path, and is as closed', async () => {
  const { url } = world.deployment;
  const visitor = createVisitor();
  const page = await passPassport(visitor, `${url}/page?a=1`);
  expect(page.status, page.text).toBe(200);
  const { hostname } = new URL(url);
  expect(visitor.cookies.list(hostname).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['_acme-x_passport', '_acme-x_passport_companion']),
  );
  const cookie = visitor.cookies.header(new URL(url)) ?? '';
  const forged = ['-', '_', '.', ''].flatMap((separator) =>
    ['x-acme-x-oidc-passport-token', 'x-acme-x-oidc-token', 'x-acme-x-made-up'].flatMap((name) => [
      name.replaceAll('-', separator),
      'forged',
    ]),
  );
  const told = await send(`${url}/?_acme-x_share=s3cret&x_acme_x_protection_bypass=s3cret&b=2`, {
    headers: ['Cookie', `theirs=1; ${cookie}`, ...forged],
  });
  expect(told.status).toBe(200);
  const echo = told.json() as Echo;
  expect(JSON.stringify(echo)).not.toContain('forged');
  expect(JSON.stringify(echo)).not.toContain('s3cret');
  expect(echo.url).toBe('/?b=2');
  expect(echo.headers).toMatchObject({
    cookie: 'theirs=1',
    'x-acme-x-oidc-passport-token': expect.stringMatching(/^eyJ/),
    'x-acme-x-oidc-token': expect.stringMatching(/^eyJ/),
    'x-acme-x-id': expect.stringMatching(/^req_/),
  });
  expect(JSON.stringify(echo)).not.toContain('vercel');

  const program = await send(`${url}/`, { headers: { accept: 'application/json' } });
  expect([program.status, program.headers['x-acme-x-error']]).toEqual([401, 'SIGN_IN_REQUIRED']);
  const { secret = '' } = await world.call('protection-bypass.update', {
    params: { idOrName: world.deployment.projectId },
    query: { teamId: world.team.id },
    body: { generate: {} },
  });
  const passing = (name: string) => send(`${url}/`, { headers: { [name]: secret } });
  expect((await passing('x-acme-x-protection-bypass')).status).toBe(200);
  expect((await passing('x-vercel-protection-bypass')).status).toBe(401);
  const shared = await world.call('share-links.update', {
    params: { idOrHost: hostname },
    query: { teamId: world.team.id },
  });
  expect(shared.url).toContain('?_acme-x_share=');
  expect((await createVisitor().visit(shared.url ?? '')).status).toBe(200);

  const decide = (at: string) =>
    send(`http://127.0.0.1:${decisions}/decide/nginx`, {
      headers: {
        cookie: at,
        'x-acme-x-decision-credential': credential,
        'x-original-method': 'GET',
        'x-original-proto': 'http',
        'x-original-host': new URL(url).host,
        'x-original-uri': '/',
        'x-original-address': '203.0.113.7',
      },
    });
  const passed = await decide(cookie);
  expect([passed.status, passed.headers['x-acme-x-decision']]).toEqual([200, 'pass']);
  expect((await decide('')).status).toBe(401);

  expect((await send(`${url}/.well-known/acme-x/passport/x`, { headers: { cookie } })).status).toBe(404);
  const out = await visitor.visit(`${url}/.well-known/acme-x/passport/sign-out`);
  expect(out.text).toContain('signed out');
  expect((await send(`${url}/`, { headers: { cookie, accept: '*/*' } })).status).toBe(401);
});
