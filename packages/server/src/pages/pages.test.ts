import { html } from 'hono/html';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { button, errorPage, field, createPages, notice, secretOnce } from './index.ts';
import { textOf } from './markup.ts';

const facts = {
  status: 404,
  code: 'not_found',
  title: 'Not found',
  description: 'There is nothing at <script>.',
  mend: 'Check the address.',
  reference: 'ref_0123456789abcdef',
};

const directive = (policy: string | undefined, name: string): string =>
  (policy ?? '').split('; ').find((part) => part.startsWith(`${name} `)) ?? '';

describe('a page of the origin', () => {
  const pages = createPages({ origin: 'https://id.example.com' });
  const page = pages.page({ title: 'Log in', body: html`<h1>Log in</h1>` });

  it('forbids framing, foreign content, scripts and other forms (security-10)', () => {
    const policy = page.headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("base-uri 'none'");
    expect(policy).toContain("object-src 'none'");
    expect(directive(policy, 'script-src')).toBe("script-src 'none'");
    expect(directive(policy, 'form-action')).toBe("form-action 'self'");
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'same-origin',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    });
  });

  it('loads only files of its own origin, which are there and kept for a year (security-11)', () => {
    const addresses = [...page.body.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(addresses.length).toBeGreaterThan(1);
    for (const address of addresses) {
      expect(address).toMatch(/^\/assets\//);
      const asset = pages.findAsset(address.slice('/assets/'.length));
      expect(asset?.headers['cache-control']).toContain('immutable');
    }
    const style = Buffer.from(
      pages.findAsset((addresses[0] ?? '').slice('/assets/'.length))?.body ?? [],
    ).toString();
    const fonts = [...style.matchAll(/url\(([^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(fonts).toHaveLength(6);
    for (const font of fonts) expect(pages.findAsset(font.slice('/assets/'.length))).toBeDefined();
  });

  it('finds its files below the path at which the origin is mounted', () => {
    const below = createPages({ origin: 'https://example.com/id' });
    expect(below.page({ title: 'x', body: html`x` }).body).toContain('href="/id/assets/pages.');
  });

  it('allows exactly the script that copies, and only where something is copied', () => {
    const withCopy = pages.page({
      title: 'Token',
      copies: true,
      body: secretOnce({ id: 'api-token', label: 'Your token', value: 'secret', advice: 'Keep it.' }),
    });
    const script = /<script>([\s\S]*?)<\/script>/.exec(withCopy.body)?.[1] ?? '';
    const hash = createHash('sha256').update(script).digest('base64');
    expect(directive(withCopy.headers['content-security-policy'], 'script-src')).toBe(
      `script-src 'sha256-${hash}'`,
    );
    expect(page.body).not.toContain('<script');
  });

  it('lets a form lead where the page says', () => {
    const consent = pages.page({ title: 'x', body: html`x`, formAction: ['https:', 'com.example.app:'] });
    expect(directive(consent.headers['content-security-policy'], 'form-action')).toBe(
      "form-action 'self' https: com.example.app:",
    );
  });
});

describe('an error page', () => {
  it('says what, why, the mend and the reference, escaped', () => {
    const page = createPages({ origin: 'http://localhost:4000' }).errorPage(facts);
    expect(page.status).toBe(404);
    expect(page.body).toContain('id="error-code">not_found<');
    expect(page.body).toContain('id="error-description">There is nothing at &lt;script&gt;.<');
    expect(page.body).toContain('id="error-reference">ref_0123456789abcdef<');
    expect(page.body).toContain('Check the address.');
  });

  it('say nothing twice: a description that is the title is left out', () => {
    const page = errorPage({ ...facts, description: facts.title });
    expect(page.body).not.toContain('error-description');
    expect(page.body.split(facts.title)).toHaveLength(3);
  });

  it('loads nothing on a host that is not ours', () => {
    const page = errorPage({ ...facts, headers: { 'retry-after': '5' } });
    expect(page.headers['retry-after']).toBe('5');
    expect([...page.body.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1])).toEqual(['data:,']);
    expect(page.body).not.toMatch(/@import|url\(/);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page.body)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(directive(page.headers['content-security-policy'], 'style-src')).toBe(
      `style-src 'sha256-${hash}'`,
    );
  });
});

describe('components', () => {
  it('escape what people wrote', () => {
    const text = textOf(field({ name: 'email', label: 'E-mail', value: '"><script>', problem: '<b>' }));
    expect(text).not.toContain('<script>');
    expect(text).not.toContain('<b>');
    expect(text).toContain('aria-invalid="true"');
    expect(text).toContain('aria-describedby="email-problem"');
  });

  it('never send a password back', () => {
    expect(
      textOf(field({ name: 'password', label: 'Password', type: 'password', value: 'hunter2' })),
    ).not.toContain('hunter2');
  });

  it('have the ids that scripts rely on, and no style attribute', () => {
    const text = `${textOf(button({ id: 'login-submit', label: 'Log in' }))}${textOf(notice('danger', 'No', 'why'))}`;
    expect(text).toContain('id="login-submit"');
    expect(text).toContain('role="alert"');
    expect(text).not.toContain('style=');
  });
});
