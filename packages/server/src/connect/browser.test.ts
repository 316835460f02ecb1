import { describe, expect, it } from 'vitest';
import { createBrowserBinding } from './browser.ts';

const jarOf = (...cookies: string[]) =>
  cookies.map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; ');

describe('the cookie of connect', () => {
  const browser = createBrowserBinding('https://id.example/connect');

  it('belongs to one host over TLS', () => {
    const { cookiesFor } = browser.bind(undefined);
    for (const cookie of cookiesFor('state')) {
      expect(cookie).toMatch(
        /^__Host-tessera_connect\w*=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=\d+$/,
      );
    }
    const plain = createBrowserBinding('http://localhost:4000/connect').bind(undefined).cookiesFor('state');
    expect(plain[0]).toMatch(/^tessera_connect=/);
  });

  it('knows its browser again, by either cookie, and no other browser', () => {
    const first = browser.bind(undefined);
    const [shared = '', own = ''] = first.cookiesFor('state');
    for (const jar of [jarOf(shared, own), jarOf(shared), jarOf(own)]) {
      expect(browser.isBound(jar, 'state', first.browserHash)).toBe(true);
    }
    expect(browser.isBound(jarOf(own), 'another state', first.browserHash)).toBe(false);
    const second = browser.bind(undefined);
    for (const jar of [undefined, '', jarOf(...second.cookiesFor('state')), jarOf(shared).toLowerCase()]) {
      expect(browser.isBound(jar, 'state', first.browserHash)).toBe(false);
    }
  });

  it('is one for all attempts of a browser that has it', () => {
    const first = browser.bind(undefined);
    const [shared = ''] = first.cookiesFor('one');
    const again = browser.bind(jarOf(shared));
    expect(again.browserHash).toBe(first.browserHash);
    expect(again.cookiesFor('two')).toHaveLength(1);
  });

  it('is made anew where a sibling tossed another one, or where it is none of ours', () => {
    const [shared = ''] = browser.bind(undefined).cookiesFor('one');
    const tossed = `${jarOf(shared)}; __Host-tessera_connect=${'x'.repeat(43)}`;
    for (const jar of [tossed, '__Host-tessera_connect=short', '__Host-tessera_connect=']) {
      const { browserHash, cookiesFor } = browser.bind(jar);
      const cookies = cookiesFor('two');
      expect(cookies).toHaveLength(2);
      expect(browser.isBound(jar, 'two', browserHash)).toBe(false);
      expect(browser.isBound(`${jar}; ${jarOf(cookies[1] ?? '')}`, 'two', browserHash)).toBe(true);
    }
  });

  it('leaves nothing of a finished attempt', () => {
    const [shared = '', own = ''] = browser.bind(undefined).cookiesFor('state');
    expect(browser.release(jarOf(shared, own), 'state')).toEqual([expect.stringContaining('Max-Age=0')]);
    expect(browser.release(jarOf(shared), 'state')).toEqual([]);
  });
});
