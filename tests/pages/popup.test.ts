import { createServer } from 'node:http';
import type { Browser, Page } from 'playwright-core';
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
import { createVisitor } from '../harness/visitor.ts';

type Heard = { origin: string; data: { type: string; response: Record<string, string> } };

/** An app of one page: it opens what it is told to, and keeps what it hears. */
const appPage = `<!doctype html><title>App</title><script>
  const heard = [];
  addEventListener('message', (event) => heard.push({ origin: event.origin, data: event.data }));
  const openPopup = (url) => { window.popup = window.open(url, 'popup', 'width=480,height=700'); };
</script>`;

describe('the popup, in a browser', { timeout: 120_000 }, () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let app: ConfidentialApp;
  let browser: Browser;
  let appServer: Awaited<ReturnType<typeof listen>>;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end(appPage);
    });
    appServer = await listen(server, 0);
    const redirectUri = `http://localhost:${new URL(appServer.url).port}/callback`;
    app = await createApp(world.call, world.team.id, { name: 'Popup', redirectUri });
    await world.call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: world.team.id },
      body: { webMessage: true },
    });
    browser = await openBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await appServer?.close();
    await tessera?.close();
  });

  const request = (more: Record<string, string> = {}) =>
    createAuthorizationRequest(tessera.urls.origin, app, { response_mode: 'web_message.opener', ...more });
  const appOrigin = () => new URL(app.redirectUri).origin;

  async function openApp(origin = appOrigin()) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(origin);
    return { context, page };
  }
  async function openPopup(page: Page, url: URL): Promise<Page> {
    const [popup] = await Promise.all([
      page.waitForEvent('popup'),
      page.evaluate(`openPopup(${JSON.stringify(url.href)})`),
    ]);
    return popup;
  }
  async function logIn(popup: Page): Promise<void> {
    await popup.fill('#login input[name=email]', world.admin.email);
    await popup.fill('#login input[name=password]', world.admin.password);
    await popup.click('button#login-submit');
  }
  const heardBy = (page: Page) => page.evaluate<Heard[]>('heard');
  async function closed(popup: Page): Promise<void> {
    if (!popup.isClosed()) await popup.waitForEvent('close');
  }

  test('goes through login and consent, posts the code to the app, and closes', async () => {
    const { context, page } = await openApp();
    const asked = request();
    const popup = await openPopup(page, asked.url);
    // A slip on the way must not part the two windows either.
    await popup.fill('#login input[name=email]', world.admin.email);
    await popup.fill('#login input[name=password]', 'not the right sentence');
    await popup.click('button#login-submit');
    await popup.waitForSelector('[role=alert]');
    await logIn(popup);
    await popup.waitForSelector('#consent');
    await Promise.all([closed(popup), popup.click('button#consent-allow')]);
    await expect.poll(() => heardBy(page)).toHaveLength(1);
    const [message] = await heardBy(page);
    expect(message).toEqual({
      origin: new URL(tessera.urls.origin).origin,
      data: {
        type: 'authorization_response',
        response: { code: expect.any(String) as string, state: asked.state, iss: tessera.urls.origin },
      },
    });

    // With a login it needs no page.
    const silent = await openPopup(page, request({ prompt: 'none' }).url);
    await closed(silent);
    await expect.poll(() => heardBy(page)).toHaveLength(2);
    expect((await heardBy(page))[1]?.data.response['code']).toBeTruthy();
    await context.close();
  });

  test('posts errors too', async () => {
    const { context, page } = await openApp();
    const popup = await openPopup(page, request({ prompt: 'consent' }).url);
    await logIn(popup);
    await popup.waitForSelector('#consent');
    await Promise.all([closed(popup), popup.click('button#consent-cancel')]);
    await closed(await openPopup(page, request({ max_age: 'soon' }).url));
    await expect.poll(() => heardBy(page)).toHaveLength(2);
    const errors = (await heardBy(page)).map(({ data }) => data.response['error']);
    expect(errors).toEqual(['access_denied', 'invalid_request']);
    await context.close();
  });

  test('tells nothing to a page of another origin that opened it', async () => {
    const { context, page } = await openApp(appOrigin().replace('localhost', '127.0.0.1'));
    const popup = await openPopup(page, request({ prompt: 'none' }).url);
    await closed(popup);
    await page.waitForTimeout(300);
    expect(await heardBy(page)).toEqual([]);
    await context.close();
  });

  test('is an error page without a window that opened it, and without scripts', async () => {
    for (const javaScriptEnabled of [true, false]) {
      const context = await browser.newContext({ javaScriptEnabled });
      const page = await context.newPage();
      await page.goto(request({ prompt: 'none' }).url.href);
      expect(await page.isVisible('#error-code')).toBe(true);
      expect(await page.textContent('#error-code')).toBe('opener_lost');
      expect(await page.textContent('#error-description')).toContain('window of the app');
      expect(await page.textContent('#error-reference')).toMatch(/^ref_/);
      expect(await page.isVisible('#web-message')).toBe(false);
      await context.close();
    }
  });

  test('its pages alone keep their opener', async () => {
    const policyOf = async (url: URL) => {
      const visitor = createVisitor();
      const policies: (string | undefined)[] = [];
      let answer = await visitor.open(url);
      for (;;) {
        policies.push(answer.headers['cross-origin-opener-policy'] as string | undefined);
        if (answer.status !== 303) break;
        answer = await visitor.open(answer.location());
      }
      // A form that is refused as out of date.
      const refused = await visitor.submit(answer, 'login', { email: 'x@y.example', password: 'z' });
      policies.push(refused.headers['cross-origin-opener-policy'] as string | undefined);
      return policies;
    };
    expect(await policyOf(request().url)).toEqual([undefined, 'unsafe-none', 'unsafe-none']);
    const plain = createAuthorizationRequest(tessera.urls.origin, app).url;
    expect(await policyOf(plain)).toEqual([undefined, 'same-origin', 'same-origin']);
    const wrong = await createVisitor().open(request({ redirect_uri: 'https://evil.example/' }).url);
    expect(wrong.status).toBe(400);
    expect(wrong.headers['cross-origin-opener-policy']).toBe('unsafe-none');
  });

  test('is for apps that have it switched on, with a redirect URI that has an origin', async () => {
    const off = createAuthorizationRequest(tessera.urls.origin, world.app, {
      response_mode: 'web_message.opener',
    });
    const answer = (await createVisitor().open(off.url)).location();
    expect(answer.href).toContain(world.app.redirectUri);
    expect(answer.searchParams.get('error')).toBe('invalid_request');
    const native = await createApp(world.call, world.team.id, {
      name: 'Native',
      redirectUri: 'com.example.app:/callback',
    });
    await world.call('apps.update', {
      params: { id: native.clientId },
      query: { teamId: world.team.id },
      body: { webMessage: true },
    });
    const asked = createAuthorizationRequest(tessera.urls.origin, native, {
      response_mode: 'web_message.opener',
    });
    const refused = (await createVisitor().open(asked.url)).headers.location ?? '';
    expect(refused).toMatch(/^com\.example\.app:\/callback\?error=invalid_request/);
  });
});
