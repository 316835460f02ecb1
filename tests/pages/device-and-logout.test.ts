import { AxeBuilder } from '@axe-core/playwright';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../harness/browser.ts';
import { createDevice, createDeviceApp } from '../harness/device.ts';
import { createSignInWorld, type ConfidentialApp, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

/** Where somebody who wants to look at the pages has them pictured, in every view. */
const pictures = process.env['TESSERA_TEST_PICTURES'];
const views = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 390 },
] as const;
const moreViews = [
  { colorScheme: 'light', width: 390 },
  { colorScheme: 'dark', width: 1280 },
] as const;

describe('the pages of devices and of logout, in a browser', { timeout: 120_000 }, () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let app: ConfidentialApp;
  let browser: Browser;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    app = await createDeviceApp(world.call, world.team.id, 'Northwind Television');
    await world.call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: world.team.id },
      body: { postLogoutRedirectUris: ['https://northwind.example/goodbye'], webMessage: true },
    });
    browser = await openBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await tessera?.close();
  });

  const at = (path: string): string => `${tessera.urls.origin}${path}`;
  async function logIn(page: Page): Promise<void> {
    await page.fill('#login input[name=email]', world.admin.email);
    await page.fill('#login input[name=password]', world.admin.password);
    await page.click('button#login-submit');
  }
  async function look(page: Page, name: string): Promise<void> {
    for (const { colorScheme, width } of pictures === undefined ? views : [...views, ...moreViews]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 844 });
      if (pictures !== undefined) {
        mkdirSync(pictures, { recursive: true });
        await page.screenshot({
          path: join(pictures, `${name}-${colorScheme}-${width}.png`),
          fullPage: true,
        });
      }
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      expect.soft(found, `${name}, ${colorScheme}, ${width} px`).toEqual([]);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect.soft(overflow, `${name} is wider than ${width} px`).toBeLessThanOrEqual(0);
    }
  }

  test('a device is signed in without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const device = createDevice(tessera.urls.api, app);
    const begun = await device.begin();
    await page.goto(begun.verification_uri);
    await logIn(page);
    await page.fill('input[name=user_code]', 'ZZZZ-ZZZZ');
    await page.click('button#device-continue');
    expect(await page.textContent('#user_code-problem')).toContain('No device is waiting');
    expect(await page.inputValue('input[name=user_code]')).toBe('ZZZZ-ZZZZ');
    await page.fill('input[name=user_code]', begun.user_code.toLowerCase());
    await page.click('button#device-continue');
    expect(await page.textContent('#consent')).toContain('Northwind Television');
    // The button takes clicks a moment late.
    await page.click('button#consent-allow');
    expect(await page.textContent('h1')).toBe('The device is signed in');
    expect((await device.ask(begun.device_code)).status).toBe(200);
    await context.close();
  });

  test('go from field to button by keyboard', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const device = createDevice(tessera.urls.api, app);
    const { user_code: userCode } = await device.begin();
    await page.goto(at('/oauth/device'));
    await logIn(page);
    await page.waitForSelector('#device');
    const focused = () => page.evaluate('document.activeElement.id');
    expect(await focused()).toBe('user_code');
    await page.keyboard.type(userCode);
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('device-continue');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#consent');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('consent-cancel');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('consent-allow');
    await page.goto(at('/oauth/logout'));
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('logout-stay');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('logout-confirm');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#logged-out');
    await context.close();
  });

  test('are clean for axe, fit a phone, and break no rule of their own', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
    });
    const device = createDevice(tessera.urls.api, app);
    const begun = await device.begin();
    await page.goto(begun.verification_uri_complete);
    await logIn(page);
    await page.waitForSelector('#device');
    await look(page, 'device');
    await page.fill('input[name=user_code]', 'BBBB-CCCC');
    await page.click('button#device-continue');
    await page.waitForSelector('#user_code-problem');
    await look(page, 'device-unknown');
    await page.fill('input[name=user_code]', begun.user_code);
    await page.click('button#device-continue');
    await page.waitForSelector('#consent');
    await look(page, 'device-consent');
    await page.click('button#consent-allow');
    await page.waitForSelector('#device-decided');
    await look(page, 'device-done');
    const refused = await device.begin();
    await page.goto(refused.verification_uri_complete);
    await page.click('button#device-continue');
    await page.click('button#consent-cancel');
    await page.waitForSelector('#device-decided');
    await look(page, 'device-cancelled');

    const goodbye = encodeURIComponent('https://northwind.example/goodbye');
    await page.goto(
      at(`/oauth/logout?client_id=${app.clientId}&post_logout_redirect_uri=https://evil.example`),
    );
    await look(page, 'logout-error');
    await page.goto(at(`/oauth/logout?client_id=${app.clientId}&post_logout_redirect_uri=${goodbye}`));
    await page.waitForSelector('#logout-confirm');
    await look(page, 'logout-of-app');
    await page.goto(at('/oauth/logout'));
    await look(page, 'logout');
    await page.click('button#logout-confirm');
    await page.waitForSelector('#logged-out');
    await look(page, 'logout-done');

    const popup = createAuthorizationRequest(tessera.urls.origin, app, {
      response_mode: 'web_message.opener',
      prompt: 'none',
    });
    await page.goto(popup.url.href);
    await look(page, 'popup-lost');
    expect(complaints).toEqual([]);
    await context.close();
  });
});
