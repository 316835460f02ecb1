import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findButton, findText, textOf } from '../harness/html.ts';
import { send, type Answer } from '../harness/send.ts';
import { createApp, createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

describe('the consent page', () => {
  let tessera: RunningTessera | undefined;
  let world: SignInWorld;
  let page: Answer;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const redirectUri = 'https://reports.acme.example/callback';
    const app = await createApp(world.call, world.team.id, { name: 'Quarterly', redirectUri });
    const { url } = createAuthorizationRequest(tessera.urls.origin, app);
    page = await world.admin.visitor.visit(url);
  }, 120_000);
  afterAll(() => tessera?.close());

  test('shows the app, its team, where one is sent, what is allowed in words, and the account (security-81)', () => {
    expect(page.url.pathname).toBe('/oauth/consent');
    const text = textOf(page.text);
    for (const part of ['Quarterly', 'Acme', 'ada@acme.example', 'Use another account', 'e-mail address']) {
      expect(text).toContain(part);
    }
    expect(findText(page.text, 'consent-destination')).toBe('reports.acme.example');
    for (const scope of ['openid', 'profile', 'email', 'offline_access']) {
      expect(page.text).toContain(`data-scope="${scope}"`);
    }
  });

  test('has two buttons of one form, of one size; the one that allows is armed a moment later (security-83)', async () => {
    expect(findButton(page.text, 'consent-cancel')).toEqual({ name: 'decision', value: 'cancel' });
    expect(findButton(page.text, 'consent-allow')).toEqual({ name: 'decision', value: 'allow' });
    const buttons = [...page.text.matchAll(/<button\b[^>]*\bid="consent-[^>]*>/g)].map(([button]) => button);
    expect(buttons).toHaveLength(2);
    for (const button of buttons) expect(button).toMatch(/class="button (primary|secondary)/);
    expect(buttons.find((button) => button.includes('allow'))).toContain('armed-late');
    const [, sheet = ''] = /<link rel="stylesheet" href="([^"]+)"/.exec(page.text) ?? [];
    const style = await send(new URL(sheet, page.url));
    expect(style.text).toMatch(/armed-late/);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
  });
});
