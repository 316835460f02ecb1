import { createServer } from 'node:http';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../examples/listen.ts';
import { openBrowser } from '../harness/browser.ts';
import {
  createApp,
  createSignInWorld,
  type ConfidentialApp,
  type SignInWorld,
} from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const views = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 390 },
] as const;

describe('the pages, in a browser', () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let app: ConfidentialApp;
  /** One that wants to do something in a team. */
  let teamApp: ConfidentialApp;
  let browser: Browser;
  let elsewhere: Awaited<ReturnType<typeof listen>>;
  /** What was asked for at the app and at a stranger's: neither is ours, and both stand at the same address. */
  const visits: string[] = [];

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const server = createServer((request, response) => {
      visits.push(request.url ?? '');
      const page = request.url === '/frame' ? `<iframe src="${at('/login')}"></iframe>` : '<p>elsewhere</p>';
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    });
    elsewhere = await listen(server, 0);
    const redirectUri = `http://localhost:${new URL(elsewhere.url).port}/callback`;
    app = await createApp(world.call, world.team.id, { name: 'Northwind Notes', redirectUri });
    teamApp = await createApp(world.call, world.team.id, { name: 'Fleet Board', redirectUri });
    await world.call('apps.update', {
      params: { id: teamApp.clientId },
      query: { teamId: world.team.id },
      body: { permissions: ['project:read', 'deployment:read'], resources: ['https://orders.example'] },
    });
    await world.call('projects.create', { query: { teamId: world.team.id }, body: { name: 'shop' } });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await elsewhere?.close();
    await tessera?.close();
  });

  const at = (path: string): string => `${tessera.urls.origin}${path}`;
  const authorizationOf = (of: ConfidentialApp, more: Record<string, string> = {}): string =>
    createAuthorizationRequest(tessera.urls.origin, of, more).url.href;
  const authorization = (more: Record<string, string> = {}): string => authorizationOf(app, more);

  async function open(
    options: { javaScriptEnabled?: boolean } = {},
  ): Promise<{ page: Page; context: BrowserContext }> {
    const context = await browser.newContext(options);
    return { context, page: await context.newPage() };
  }

  async function logIn(page: Page): Promise<void> {
    await page.fill('#login input[name=email]', world.admin.email);
    await page.fill('#login input[name=password]', world.admin.password);
    await page.click('button#login-submit');
  }

  test('lead through login, consent and log-out without JavaScript', async () => {
    const { page, context } = await open({ javaScriptEnabled: false });
    await page.goto(authorization());
    await page.waitForSelector('#login');
    await page.fill('input[name=email]', world.admin.email);
    await page.fill('input[name=password]', 'not the right sentence');
    await page.click('button#login-submit');
    expect(await page.textContent('[role=alert]')).toContain('is not right');
    expect(await page.inputValue('input[name=email]')).toBe(world.admin.email);
    await logIn(page);
    await page.waitForSelector('#consent');
    expect(await page.textContent('#consent')).toContain('Northwind Notes');
    expect(await page.textContent('#consent-destination')).toBe(new URL(app.redirectUri).host);
    await page.click('button#consent-cancel');
    await page.waitForURL(`${app.redirectUri}**`);
    expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied');

    await page.goto(authorization());
    await page.click('button#consent-allow');
    await page.waitForURL(`${app.redirectUri}**`);
    expect(new URL(page.url()).searchParams.get('code')).toBeTruthy();

    await page.goto(at('/account'));
    await page.click('#sign-out-submit');
    await page.waitForSelector('#login');
    await page.goto(at('/account'));
    await page.waitForSelector('#login');
    await context.close();
  });

  test('show a new token once, masked, and let it be copied with JavaScript', async () => {
    const { page, context } = await open();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto(at('/login?return=/account/tokens/new?team=acme'));
    await logIn(page);
    await page.fill('#create-api-token input[name=name]', 'deploys');
    await page.click('button#create-api-token-submit');
    await page.waitForSelector('.secret');
    expect(await page.isVisible('#api-token')).toBe(false);
    await page.click('summary');
    expect(await page.isVisible('#api-token')).toBe(true);
    await page.click('[data-copy=api-token]');
    await page.waitForSelector('text=Copied');
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(await page.textContent('#api-token'));
    await page.goto(at('/account/tokens'));
    expect(await page.textContent('#api-tokens')).toContain('deploys');
    await context.close();
  });

  test('go from field to field by keyboard, in the order one reads', async () => {
    const { page, context } = await open();
    const order = async (steps: number): Promise<string[]> => {
      const ids: string[] = [];
      for (let step = 0; step < steps; step += 1) {
        ids.push(
          await page.evaluate('document.activeElement.id || document.activeElement.textContent.trim()'),
        );
        await page.keyboard.press('Tab');
      }
      return ids;
    };
    await page.goto(at('/login'));
    expect(await order(3)).toEqual(['email', 'password', 'login-submit']);
    await page.focus('#email');
    await page.keyboard.type(world.admin.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(world.admin.password);
    await page.keyboard.press('Enter');
    await page.waitForURL(at('/account'));
    await page.goto(authorization({ prompt: 'consent' }));
    await page.waitForSelector('#consent');
    await page.keyboard.press('Tab');
    expect(await order(3)).toEqual(['consent-cancel', 'consent-allow', 'Use another account']);
    await context.close();
  });

  test('refuse to be framed, and to send their forms elsewhere (security-10)', async () => {
    const { page, context } = await open();
    await page.goto(`${elsewhere.url}/frame`, { waitUntil: 'commit' });
    await expect
      .poll(() => page.frames().map((frame) => frame.url()))
      .toContain('chrome-error://chromewebdata/');

    await page.goto(at('/login'));
    // A click would wait for the navigation that must not come.
    await page.evaluate(
      `const form = document.getElementById('login'); form.action = '${elsewhere.url}/steal'; form.submit();`,
    );
    await page.waitForTimeout(300);
    expect(visits).not.toContain('/steal');
    await context.close();
  });

  test('are clean for axe, fit a phone, and break no rule of their own', async () => {
    const { page, context } = await open();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
    });
    const look = async (name: string): Promise<void> => {
      for (const { colorScheme, width } of views) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 844 });
        const { violations } = await new AxeBuilder({ page }).analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
        expect.soft(found, `${name}, ${colorScheme}, ${width} px`).toEqual([]);
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect.soft(overflow, `${name} is wider than ${width} px`).toBeLessThanOrEqual(0);
      }
    };
    await page.goto(authorization({ prompt: 'consent' }));
    await look('login');
    await logIn(page);
    await page.waitForSelector('#consent');
    await look('consent');
    await page.goto(
      authorizationOf(teamApp, {
        scope: 'openid project:read deployment:read',
        resource: 'https://orders.example',
      }),
    );
    await page.waitForSelector('#consent select[name=team]');
    await look('consent with a team');
    await page.click('button#consent-allow');
    await page.waitForURL(`${app.redirectUri}**`);
    for (const path of ['', '/teams', '/tokens', '/tokens/new?team=acme', '/apps', '/people']) {
      await page.goto(at(`/account${path}`));
      await look(`/account${path}`);
    }
    await page.fill('#invite input[name=email]', 'grace@example.com');
    await page.click('#invite-submit');
    await page.click('summary');
    await look('invited');
    await page.goto((await page.textContent('#set-up-link')) ?? '');
    await look('set-up');
    await page.goto(authorization({ redirect_uri: `${app.redirectUri}/elsewhere` }));
    expect(await page.textContent('#error-description')).toContain('redirect URI is not registered');
    expect(await page.textContent('#error-reference')).toMatch(/^ref_|^req_/);
    expect(await page.textContent('#error-code')).toBeTruthy();
    await look('error');
    expect(complaints).toEqual([]);
    await context.close();
  }, 120_000);
});
