import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../harness/browser.ts';
import {
  createPassportWorld,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const views = [
  { colorScheme: 'light', width: 1280, height: 800 },
  { colorScheme: 'light', width: 390, height: 844 },
  { colorScheme: 'dark', width: 1280, height: 800 },
  { colorScheme: 'dark', width: 390, height: 844 },
] as const;
/** What a thumb can hit (WCAG 2.2, 2.5.8, and what phones' makers ask for). */
const leastTouchHeight = 44;

describe('the password page of a deployment, in a browser', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let site: ProtectedDeployment;
  let browser: Browser;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    site = await world.protect('guarded');
    await protectBy('open sesame');
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
    await tessera?.close();
  });

  const protectBy = (password: string) =>
    world.call('projects.update', {
      params: { idOrName: site.projectId },
      query: { teamId: world.team.id },
      body: { passport: null, passwordProtection: { deploymentType: 'all', password } },
    });

  async function inPage(
    options: Parameters<Browser['newContext']>[0],
    run: (page: Page, complaints: string[]) => Promise<void>,
  ): Promise<void> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
    });
    try {
      await run(page, complaints);
    } finally {
      await context.close();
    }
  }

  /** As it looks in light and dark, at a desk and on a phone; `PICTURES` names a folder to keep it in. */
  async function look(page: Page, name: string): Promise<void> {
    for (const { colorScheme, width, height } of views) {
      const as = `${name}, ${colorScheme}, ${width} px`;
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      expect.soft(found, as).toEqual([]);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect.soft(overflow, `${as} is too wide`).toBeLessThanOrEqual(0);
      for (const selector of ['#password input[name=password]', 'button#password-submit']) {
        const box = await page.locator(selector).boundingBox();
        expect.soft(box?.height ?? 0, `${selector}: ${as}`).toBeGreaterThanOrEqual(leastTouchHeight);
        // On a phone nothing is to be scrolled to before the password can be given.
        expect
          .soft((box?.y ?? height) + (box?.height ?? 0), `${selector}: ${as}`)
          .toBeLessThanOrEqual(height);
      }
      const folder = process.env['PICTURES'];
      if (folder) await page.screenshot({ path: `${folder}/${as.replaceAll(/\W+/g, '-')}.png` });
    }
  }

  test(
    'is clean for axe and fits a phone, when it asks, refuses and has had too many tries',
    { timeout: 60_000 },
    () =>
      inPage({}, async (page, complaints) => {
        await page.goto(`${site.url}/reports?year=2026`);
        await page.waitForSelector('#password');
        expect(await page.evaluate('document.activeElement.name')).toBe('password');
        await look(page, 'asks');
        for (let tries = 0; tries < 12; tries++) {
          await page.fill('#password input[name=password]', `wrong ${tries}`);
          await page.click('button#password-submit');
          await page.waitForSelector(tries === 0 ? '[role=alert]' : '#error-reference');
          if (tries === 0) await look(page, 'refuses');
        }
        expect(await page.textContent('.notice')).toContain('Too many wrong passwords');
        await look(page, 'too many tries');
        expect(complaints).toEqual([]);
      }),
  );

  test(
    'opens the page by keyboard alone, without JavaScript, with a visible focus',
    { timeout: 60_000 },
    async () => {
      // Another password, so that the tries of before do not count against this one.
      site = await world.protect('typed');
      await protectBy('open sesame, please');
      await inPage({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } }, async (page) => {
        await page.goto(`${site.url}/reports?year=2026`);
        await page.waitForSelector('#password input[name=password]:focus');
        await page.keyboard.type('open sesame, please');
        await page.keyboard.press('Tab');
        const outline = await page
          .locator('button#password-submit')
          .evaluate((button) => {
            const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(button);
            return outlineStyle !== 'none' ? outlineWidth : boxShadow;
          })
          .catch(() => 'no script');
        expect(outline).not.toMatch(/^(?:0px|none)$/);
        await page.keyboard.press('Enter');
        await page.waitForURL(`${site.url}/reports?year=2026`);
        expect(await page.textContent('body')).toContain('"url":"/reports?year=2026"');
      });
    },
  );
});
