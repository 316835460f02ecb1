import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send, type Answer } from '../harness/send.ts';
import {
  createApp,
  createSignInWorld,
  type ConfidentialApp,
  type SignInWorld,
} from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

describe('the pages of a running instance', () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let app: ConfidentialApp;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    app = await createApp(world.call, world.team.id, {
      name: 'Pages',
      redirectUri: 'https://app.example/callback',
    });
  }, 120_000);
  afterAll(() => tessera?.close());

  const authorizationUrl = (): URL => createAuthorizationRequest(tessera.urls.origin, app).url;
  const loggedIn = (): Visitor => world.admin.visitor;

  /** One of each kind. */
  const pages: Record<string, () => Promise<Answer>> = {
    login: () => createVisitor().visit(authorizationUrl()),
    consent: () => loggedIn().visit(authorizationUrl()),
    'log-out': () => loggedIn().visit(`${tessera.urls.origin}/oauth/logout`),
    'logged out': () => createVisitor().visit(`${tessera.urls.origin}/oauth/logout`),
    'refused request': () => createVisitor().visit(`${tessera.urls.origin}/oauth/authorize?client_id=none`),
    'unknown path': () => createVisitor().visit(`${tessera.urls.origin}/nothing`),
    'spent set-up link': () => createVisitor().visit(tessera.setUpLink ?? ''),
    account: () => loggedIn().visit(`${tessera.urls.origin}/account`),
    'new token': () => loggedIn().visit(`${tessera.urls.origin}/account/tokens/new`),
  };

  test.each(Object.keys(pages))(
    'cannot be framed, stored, scripted or opened by another site: %s (security-10)',
    async (name) => {
      const { headers, status } = await pages[name]!();
      expect(status).toBeLessThan(500);
      expect(headers['content-type']).toMatch(/^text\/html/);
      const policy = headers['content-security-policy'] ?? '';
      for (const directive of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
      ]) {
        expect(policy).toContain(directive);
      }
      expect(policy).toMatch(/(^|; )form-action /);
      expect(policy).not.toMatch(/unsafe-inline|unsafe-eval|script-src[^;]*\*/);
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
      });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  test.each(Object.keys(pages))('loads and links nothing of another site: %s (security-11)', async (name) => {
    const { text } = await pages[name]!();
    const addresses = [...text.matchAll(/\b(?:href|src|action|formaction|poster|data)="([^"]+)"/g)];
    expect(addresses.length).toBeGreaterThan(0);
    for (const [, address = ''] of addresses) expect(address).toMatch(/^(\/(?!\/)|#|\?)/);
    expect(text).not.toMatch(/<(iframe|object|embed|base)\b/i);
  });

  test('no other method than those of its form changes anything at a page (security-16)', async () => {
    const page = await loggedIn().visit(authorizationUrl());
    const cookie = loggedIn().cookies.header(page.url) ?? '';
    const [, csrf = ''] = /name="csrf"[^>]*value="([^"]+)"/.exec(page.text) ?? [];
    expect(csrf).not.toBe('');
    const allow = new URL(page.url);
    for (const [name, value] of Object.entries({ csrf, decision: 'allow' }))
      allow.searchParams.set(name, value);
    const body = new URLSearchParams({ csrf, decision: 'allow' }).toString();
    for (const method of ['HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS', 'GET']) {
      const headers = {
        cookie,
        origin: tessera.urls.origin,
        'content-type': 'application/x-www-form-urlencoded',
      };
      const hasBody = !['HEAD', 'GET', 'TRACE'].includes(method);
      await send(allow, { method, headers, ...(hasBody ? { body } : {}) });
    }
    const silent = createAuthorizationRequest(tessera.urls.origin, app, { prompt: 'none' }).url;
    const answer = await loggedIn().open(silent);
    expect(answer.location().searchParams.get('error'), 'nothing was allowed').toBe('consent_required');
  });
});
