import { AxeBuilder } from '@axe-core/playwright';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../harness/browser.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const views = [
  { colorScheme: 'light', width: 1280, height: 800 },
  { colorScheme: 'light', width: 390, height: 844 },
  { colorScheme: 'dark', width: 1280, height: 800 },
  { colorScheme: 'dark', width: 390, height: 844 },
  // A desk at 400 %.
  { colorScheme: 'light', width: 320, height: 256 },
] as const;

describe('where a visitor is stopped, a page says what they can do', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let browser: Browser;

  beforeAll(async () => {
    tessera = await startTessera('sqlite', { variables: { TESSERA_UPSTREAM_ANSWER_SECONDS: '1' } });
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
    await tessera?.close();
  });

  async function inPage(run: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext();
    try {
      await run(await context.newPage());
    } finally {
      await context.close();
    }
  }
  /** In light and dark, at a desk and on a phone; `PICTURES` names a folder to keep it in. */
  async function look(page: Page, name: string): Promise<void> {
    for (const { colorScheme, width, height } of views) {
      const as = `${name}, ${colorScheme}, ${width} px`;
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, `${as} is too wide`).toBeLessThanOrEqual(0);
      // What axe looks at differs by colours alone.
      const { violations } = width === 390 ? await new AxeBuilder({ page }).analyze() : { violations: [] };
      expect(
        violations.map(({ id }) => id),
        as,
      ).toEqual([]);
      const folder = process.env['PICTURES'];
      if (folder) await page.screenshot({ path: `${folder}/${as}.png`, fullPage: true });
    }
  }
  const signIn = async (page: Page) => {
    await page.fill('#sign-in input[name=username]', 'grace');
    await page.fill('#sign-in input[name=password]', 'nobody else has it');
    await page.click('#sign-in-submit');
  };
  /** The answer that the provider would have the browser bring back, made by hand. */
  async function answer(page: Page, path: string, parameters: Record<string, string>): Promise<void> {
    const asked = page.waitForRequest(/\/auth\?/);
    await page.goto(`${world.deployment.url}${path}`);
    const authorization = new URL((await asked).url());
    const back = new URL(authorization.searchParams.get('redirect_uri') ?? '');
    const state = authorization.searchParams.get('state') ?? '';
    for (const [name, value] of Object.entries({ iss: authorization.origin, state, ...parameters })) {
      back.searchParams.set(name, value);
    }
    await page.goto(back.href);
    await page.waitForSelector('#error-code');
  }

  test('by the access policy: as whom they signed in, and whom to ask', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      const site = await world.protect('owners-only');
      await world.call('projects.update', {
        params: { idOrName: site.projectId },
        query: { teamId: world.team.id },
        body: {
          passport: {
            connectorId: world.connectorId,
            deploymentType: 'all',
            policy: { anyOf: [{ claim: 'groups', values: ['owners'] }] },
          },
        },
      });
      await page.goto(`${site.url}/`);
      await signIn(page);
      await page.waitForSelector('#error-code');
      expect(await page.textContent('#error-description')).toContain('You signed in as grace@corp.example.');
      expect(await page.textContent('#error-mend')).toContain('Ask its team for access');
      await look(page, 'policy');
    }),
  );

  test('by their identity provider: what they can do comes first', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      await answer(page, '/wrong-code', { code: 'not-a-code' });
      expect(await page.textContent('#error-code')).toBe('sign_in_failed');
      expect(await page.textContent('#error-mend')).toMatch(
        /^Begin anew; if it stays, give the reference to the team .+What may help them: Check that the redirect URI/,
      );
      await look(page, 'provider refuses the code');

      await answer(page, '/busy', { error: 'temporarily_unavailable', error_description: '<b>Moving</b>' });
      expect(await page.textContent('#error-description')).toContain('<b>Moving</b>');
      expect(await page.textContent('#error-mend')).not.toContain('What may help them');
    }),
  );

  test('by a deployment that is down: they try again, and it is there', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      const upstream = createServer((request, response) => {
        if (state === 'silent') return;
        if (state === 'broken') request.destroy();
        else response.setHeader('content-type', 'text/html').end('<title>Up</title>It is up again');
      });
      let state: 'silent' | 'broken' | 'up' = 'broken';
      upstream.listen(0, '127.0.0.1');
      await once(upstream, 'listening');
      const query = { teamId: world.team.id };
      const project = await world.call('projects.create', { query, body: { name: 'restarting' } });
      const { url } = await world.call('deployments.create', {
        query,
        body: {
          projectId: project.id,
          environment: 'production',
          upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
        },
      });
      try {
        const address = `${url.replace(/\/$/, '')}/reports?year=2026`;
        expect((await page.goto(address))?.status()).toBe(502);
        await look(page, 'down');
        state = 'silent';
        expect((await page.goto(address))?.status()).toBe(504);
        await look(page, 'too slow');
        state = 'up';
        await page.click('a.button:has-text("Try again")');
        await page.waitForURL(address);
        expect(await page.textContent('body')).toContain('It is up again');
      } finally {
        upstream.closeAllConnections();
        upstream.close();
      }
    }),
  );

  test('with a form that they filled in: that it was not passed on', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      const { url } = world.deployment;
      await page.goto(`${url}/form`);
      await signIn(page);
      await page.waitForURL(`${url}/form`);
      await page.context().clearCookies();
      await page.evaluate(() => {
        const form = document.createElement('form');
        form.method = 'post';
        document.body.append(form);
        form.submit();
      });
      await page.waitForSelector('#error-code');
      expect(await page.textContent('#error-code')).toBe('SIGN_IN_REQUIRED');
      expect(await page.textContent('#error-mend')).toContain('Nothing of what was sent was passed on');
      expect(await page.locator('a.button').textContent()).toBe('Sign in');
      await look(page, 'form');
    }),
  );

  test('without cookies: that those are missing, and no circle', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      await page.goto(`${world.deployment.url}/no-cookies`);
      await page.context().clearCookies({ domain: new URL(world.deployment.url).hostname });
      await signIn(page);
      await page.waitForSelector('#error-code');
      expect(await page.textContent('#error-code')).toBe('HAND_OFF_REFUSED');
      expect(await page.textContent('#error-description')).toMatch(/^Coming back to the deployment \(step/);
      await look(page, 'no cookies');
    }),
  );

  test('sent to the sign-out by another site: they may stay', { timeout: 120_000 }, () =>
    inPage(async (page) => {
      const { url } = world.deployment;
      await page.goto(`${url}/`);
      await signIn(page);
      await page.waitForURL(`${url}/`);
      await page.route('http://elsewhere.localhost/', (route) =>
        route.fulfill({
          contentType: 'text/html',
          body: `<a href="${url}/.well-known/vercel/passport/sign-out">out</a>`,
        }),
      );
      await page.goto('http://elsewhere.localhost/');
      await page.click('a');
      await page.waitForSelector('#sign-out');
      await look(page, 'sign-out');
      await page.click('a:has-text("Stay signed in")');
      await page.waitForURL(`${url}/`);
      expect(await page.textContent('body')).toContain('x-vercel-oidc-passport-token');
      await page.goto(`${url}/.well-known/vercel/passport/sign-out`);
      await page.waitForSelector('#signed-out');
      await look(page, 'signed out');
    }),
  );
});
