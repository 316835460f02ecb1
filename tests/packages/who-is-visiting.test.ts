import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../examples/listen.ts';
import { startExpressApp } from '../../examples/who-is-visiting/express.ts';
import { startHonoApp } from '../../examples/who-is-visiting/hono.ts';
import { startNodeApp } from '../../examples/who-is-visiting/node.ts';
import { findFreePort } from '../harness/free-port.ts';
import { findText } from '../harness/html.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';

const servers = { node: startNodeApp, express: startExpressApp, hono: startHonoApp };

let tessera: RunningTessera;
let world: PassportWorld;
const running: Running[] = [];
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.close()));
  await world?.close();
  await tessera?.close();
});

describe.each(['node', 'express', 'hono'] as const)('the example on %s, behind the gateway', (server) => {
  let app: Running;
  let url: string;
  beforeAll(async () => {
    const protectedProject = await world.protect(`site-${server}`);
    app = await servers[server]({
      port: await findFreePort(),
      issuer: `${tessera.urls.passport}/acme`,
      audience: `${tessera.urls.origin}/acme/site-${server}/preview`,
    });
    running.push(app);
    const deployment = await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId: protectedProject.projectId,
        environment: 'preview',
        upstream: app.url.replace('localhost', '127.0.0.1'),
      },
    });
    url = deployment.url;
  });

  test('shows the visitor and the workload', async () => {
    const page = await passPassport(createVisitor(), url);
    expect(page.status).toBe(200);
    expect(findText(page.text, 'external_sub')).toBe('staff|grace');
    expect(findText(page.text, 'name')).toBe('Grace Hopper');
    expect(findText(page.text, 'groups')).toContain('staff');
    expect(findText(page.text, 'workload')).toBe(`owner:acme:project:site-${server}:environment:preview`);
  });

  test('keeps visitors apart that come at once', async () => {
    const visitors = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const visitor = createVisitor();
        await passPassport(visitor, url);
        return visitor;
      }),
    );
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, () => send(app.url)),
      ...visitors.flatMap((visitor) => Array.from({ length: 10 }, () => visitor.open(url))),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([
      ...Array<number>(10).fill(401),
      ...Array<number>(30).fill(200),
    ]);
  });

  test('believes nobody who comes around the gateway', async () => {
    expect((await send(app.url)).status).toBe(401);
    const visitor = createVisitor();
    await passPassport(visitor, world.deployment.url);
    const seen = (await visitor.open(world.deployment.url)).text;
    // A true token, of another project: the echo upstream of that one shows it.
    const foreign = /"x-vercel-oidc-passport-token":\s*"([^"]+)"/.exec(seen)?.[1] ?? seen;
    for (const [token, problem] of [
      ['a.b.c', 'malformed'],
      [foreign, 'audience'],
    ] as const) {
      const answer = await send(app.url, { headers: { 'x-vercel-oidc-passport-token': token } });
      expect([answer.status, findText(answer.text, 'problem')]).toEqual([403, problem]);
    }
  });
});
