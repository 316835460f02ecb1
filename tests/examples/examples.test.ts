import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startExpressApp } from '../../examples/express/app.ts';
import { startHonoApp } from '../../examples/hono/app.ts';
import type { Running } from '../../examples/listen.ts';
import { startSinglePageApp } from '../../examples/single-page-app/server.ts';
import { registerApp } from '../clients/relying-party.ts';
import { openBrowser } from '../harness/browser.ts';
import { findFreePort } from '../harness/free-port.ts';
import { findText } from '../harness/html.ts';
import type { Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { buildNextApp, installNextApp, startNextApp } from './next-app.ts';

const sessionSecret = 'a secret of the app, long enough for a test';

let tessera: RunningTessera;
let world: SignInWorld;
const running: Running[] = [];
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createSignInWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await Promise.all(running.map((each) => each.close()));
  await tessera?.close();
});

async function register(name: string, method: 'client_secret_basic' | 'none') {
  const port = await findFreePort();
  const url = `http://localhost:${port}`;
  const app = await registerApp(world.call, world.team.id, {
    name,
    redirectUris: [`${url}/callback`],
    postLogoutRedirectUris: [url, `${url}/`],
    tokenEndpointAuthMethods: [method],
  });
  return { port, issuer: tessera.urls.origin, ...app };
}

/** Where the link or the form with this id leads. */
function linkOf(page: Answer, id: string): URL | undefined {
  const [, href] = new RegExp(`<a\\b[^>]*\\bid="${id}"[^>]*\\bhref="([^"]*)"`).exec(page.text) ?? [];
  return href === undefined ? undefined : new URL(href, page.url);
}

/** Through the whole example as a person without JavaScript sees it. `profilePath` shows who is signed in. */
async function walkThrough({ url }: Running, profilePath: string): Promise<void> {
  const visitor = createVisitor();
  const signIn = async (): Promise<Answer> => {
    const link = linkOf(await visitor.visit(`${url}/`), 'sign-in');
    if (!link) throw new Error(`${url} has no link to sign in`);
    return visitor.open(link);
  };

  const answer = await passSignInPages(visitor, (await signIn()).location(), world.admin);
  await visitor.visit(answer);
  const profile = await visitor.visit(`${url}${profilePath}`);
  expect(findText(profile.text, 'email')).toBe(world.admin.email);
  expect(findText(profile.text, 'name')).toBe(world.admin.name);
  expect(findText(profile.text, 'sub')).toMatch(/^usr_/);

  let renewed = profile;
  for (let use = 0; use < 2; use++) {
    const before = findText(renewed.text, 'access-token');
    renewed = await visitor.follow(await visitor.submit(renewed, 'renew'));
    expect(findText(renewed.text, 'access-token')).not.toBe(before);
  }

  const link = linkOf(renewed, 'sign-out');
  const signedOut = link
    ? await visitor.visit(link)
    : await visitor.follow(await visitor.submit(renewed, 'sign-out'));
  expect(signedOut.url.href).toBe(`${url}/`);
  expect(linkOf(signedOut, 'sign-in')).toBeDefined();
  const asked = await visitor.follow(await signIn());
  expect(asked.text).toContain('id="login-submit"');
}

describe('the examples of "Sign in with Tessera"', { timeout: 120_000 }, () => {
  test('Express', async () => {
    const app = await startExpressApp({
      ...(await register('Express', 'client_secret_basic')),
      sessionSecret,
    });
    running.push(app);
    await walkThrough(app, '/profile');
  });

  test('Hono', async () => {
    const app = await startHonoApp({ ...(await register('Hono', 'client_secret_basic')), sessionSecret });
    running.push(app);
    await walkThrough(app, '/');
  });

  test('Next.js', { timeout: 600_000 }, async (context) => {
    const { problem } = await installNextApp();
    context.skip(problem !== undefined, problem);
    await buildNextApp();
    const app = await startNextApp(await register('Next.js', 'client_secret_basic'));
    running.push(app);
    await walkThrough(app, '/');
  });

  test('a single page', async () => {
    const { url, close } = await startSinglePageApp(await register('Single page', 'none'));
    running.push({ url, close });
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      await page.goto(url);
      await page.click('#sign-in');
      await page.fill('input[name=email]', world.admin.email);
      await page.fill('input[name=password]', world.admin.password);
      await page.click('#login-submit');
      await page.click('#consent-allow');
      await page.waitForSelector('#signed-in:not([hidden])');
      expect(page.url()).toBe(`${url}/`);
      expect(await page.textContent('#email')).toBe(world.admin.email);
      expect(await page.textContent('#name')).toBe(world.admin.name);

      const before = await page.textContent('#access-token');
      await page.click('#renew');
      await page.waitForFunction(
        `document.querySelector('#access-token').textContent !== ${JSON.stringify(before)}`,
      );

      await page.click('#sign-out');
      await page.waitForSelector('#signed-out:not([hidden])');
      await page.click('#sign-in');
      await page.waitForSelector('#login-submit');
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
