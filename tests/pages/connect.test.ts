import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../harness/browser.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const phone = { width: 390, height: 844 };

describe("a visitor's way through the connect pages, in a browser", () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let browser: Browser;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
    await tessera?.close();
  });

  const inBrowser = async (run: (context: BrowserContext) => Promise<void>) => {
    const context = await browser.newContext({ viewport: phone, colorScheme: 'dark' });
    try {
      await run(context);
    } finally {
      await context.close();
    }
  };
  const signIn = async (page: Page) => {
    await page.fill('#sign-in input[name=username]', 'grace');
    await page.fill('#sign-in input[name=password]', 'nobody else has it');
    await page.click('#sign-in-submit');
  };
  const expectArrived = async (page: Page, path: string) => {
    await page.waitForURL(`${world.deployment.url}${path}`);
    expect(await page.textContent('body')).toContain('x-vercel-oidc-passport-token');
  };
  /** Fits a phone, can be used by those who hear or type it, and is kept as a picture for whoever looks. */
  const look = async (page: Page, name: string) => {
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow, `${name} is wider than a phone`).toBeLessThanOrEqual(0);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
    const folder = process.env['PICTURES'];
    if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  };

  test('brings several tabs home, whichever signs in first', () =>
    inBrowser(async (context) => {
      const paths = ['/one', '/two', '/three'];
      const tabs = await Promise.all(paths.map(() => context.newPage()));
      await Promise.all(tabs.map((tab, index) => tab.goto(`${world.deployment.url}${paths[index]}`)));
      for (const [index, tab] of [...tabs.entries()].toReversed()) {
        // The first sign-in is known to the provider; the others' forms are still open.
        await signIn(tab);
        await expectArrived(tab, paths[index] ?? '');
      }
    }));

  test('shows a mended way back after the back button, and never signs in twice by it', () =>
    inBrowser(async (context) => {
      const page = await context.newPage();
      await page.goto(`${world.deployment.url}/back`);
      await signIn(page);
      await expectArrived(page, '/back');
      // Of all the redirects only the provider's form is left to go back to, and that sign-in is over.
      await page.goBack();
      await page.waitForURL(/\/sign-in\//);
      expect(await page.textContent('body')).toContain('Sign-in is over');
      expect(await page.locator('#sign-in').count()).toBe(0);
      const { sessions } = await world.call('passport-sessions.list', {
        query: { teamId: world.team.id, projectId: world.deployment.projectId },
      });
      await page.goForward();
      await expectArrived(page, '/back');
      await page.goto(`${world.deployment.url}/again`);
      await expectArrived(page, '/again');
      const later = await world.call('passport-sessions.list', {
        query: { teamId: world.team.id, projectId: world.deployment.projectId },
      });
      expect(later.sessions.map(({ sid }) => sid)).toEqual(sessions.map(({ sid }) => sid));
    }));

  test('signs in in a popup, and the page that opened it still holds it', () =>
    inBrowser(async (context) => {
      const opener = await context.newPage();
      await opener.route('http://opener.localhost/', (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Opener</title>' }),
      );
      await opener.goto('http://opener.localhost/');
      const [popup] = await Promise.all([
        opener.waitForEvent('popup'),
        opener.evaluate(
          `void (window.popup = window.open(${JSON.stringify(`${world.deployment.url}/popup`)}))`,
        ),
      ]);
      await signIn(popup);
      await expectArrived(popup, '/popup');
      expect(await opener.evaluate('window.popup.closed')).toBe(false);
      expect(await popup.evaluate('window.opener !== null')).toBe(true);
    }));

  test('ends on a page when it is cancelled, from where it begins anew', () =>
    inBrowser(async (context) => {
      const page = await context.newPage();
      await page.goto(`${world.deployment.url}/cancelled?x=1`);
      await page.click('#sign-in-cancel');
      await page.waitForSelector('#error-reference');
      expect(await page.textContent('#error-code')).toBe('sign_in_denied');
      expect(await page.textContent('#error-reference')).toMatch(/^ref_/);
      await look(page, 'cancelled');
      await page.click('a.button:has-text("Begin anew")');
      await signIn(page);
      await expectArrived(page, '/cancelled?x=1');
    }));

  test('ends on a page when it took too long, from where it begins anew', () =>
    inBrowser(async (context) => {
      const page = await context.newPage();
      await page.goto(`${world.deployment.url}/late`);
      tessera.advance(11 * 60_000);
      await signIn(page);
      await page.waitForSelector('#error-code');
      expect(await page.textContent('#error-code')).toBe('sign_in_expired');
      await look(page, 'expired');
      await page.click('a.button:has-text("Begin anew")');
      await expectArrived(page, '/late');
    }));

  test('shows the report of a live test to the admin, on a phone too', () =>
    inBrowser(async (context) => {
      const { live } = await world.call('connectors.test', {
        params: { id: world.connectorId },
        query: { teamId: world.team.id },
        body: { live: true, project: 'site' },
      });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(live?.url ?? '');
      await page.fill('input[name=email]', world.admin.email);
      await page.fill('input[name=password]', world.admin.password);
      await page.click('#login-submit');
      await page.waitForSelector('#connector-test-begin');
      await look(page, 'test-waiting');
      await page.click('#connector-test-begin');
      await signIn(page);
      await page.waitForSelector('#steps');
      expect(page.url()).toBe(live?.url);
      expect(await page.textContent('#policy')).toContain('Would let you in.');
      expect(await page.textContent('#forwarded')).toContain('grace@corp.example');
      expect(await page.getAttribute('#steps li:last-child', 'data-step')).toBe('report');
      await look(page, 'test-report');
      expect(complaints).toEqual([]);
      // The way back leads to no second test.
      await page.goBack().catch(() => null);
      await page.goto(live?.url ?? '');
      await page.waitForSelector('#steps');
    }));
});
