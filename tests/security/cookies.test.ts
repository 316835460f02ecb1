import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findForm } from '../harness/html.ts';
import { send, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const origin = 'https://id.example.com';

describe('cookies of an instance behind TLS', () => {
  let tessera: RunningTessera | undefined;
  beforeAll(async () => {
    tessera = await startTessera('sqlite', {
      variables: { TESSERA_PUBLIC_URL: origin, TESSERA_DEPLOYMENT_DOMAIN: 'deployments.example' },
    });
  });
  afterAll(() => tessera?.close());

  test('are all bound to the host: __Host-, Secure, HttpOnly, no Domain, at login as before it (security-70)', async () => {
    const port = tessera?.environment.port ?? 0;
    const cookies = new Map<string, string>();
    const seen: string[] = [];
    const ask = async (path: string, body?: URLSearchParams): Promise<Answer> => {
      const answer = await send(`http://127.0.0.1:${port}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          host: 'id.example.com',
          origin,
          'sec-fetch-site': 'same-origin',
          cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(body === undefined ? {} : { body: body.toString() }),
      });
      for (const line of answer.headers['set-cookie'] ?? []) {
        seen.push(line);
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        cookies.set(name, value);
      }
      return answer;
    };
    const link = new URL(tessera?.setUpLink ?? '');
    expect(link.origin).toBe(origin);
    const page = await ask(`${link.pathname}${link.search}`);
    const form = findForm(page.text, 'set-up', link);
    const person = { email: 'ada@acme.example', name: 'Ada', password: 'a long enough passphrase, 7 words' };
    const done = await ask(
      `${form.action.pathname}${form.action.search}`,
      new URLSearchParams({ ...form.fields, ...person }),
    );
    expect(done.status, done.text).toBe(303);
    expect([...cookies.keys()].toSorted()).toEqual(['__Host-tessera_browser', '__Host-tessera_session']);
    for (const line of seen) {
      const attributes = line.split('; ').slice(1);
      expect(attributes).toEqual(expect.arrayContaining(['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax']));
      expect(line).not.toMatch(/domain=/i);
    }
    for (const value of cookies.values()) expect(value).toMatch(/^[\w-]{43}$/);
  });
});

describe('cookies that a sibling host tossed', () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  }, 120_000);
  afterAll(() => tessera?.close());

  test('never count: of two of one name neither does, and no other spelling is ours (security-71)', async () => {
    const account = new URL(`${tessera.urls.origin}/account`);
    const { cookies } = world.admin.visitor;
    const [browser, session] = ['tessera_browser', 'tessera_session'].map(
      (name) => cookies.list().find((cookie) => cookie.name === name)?.value ?? '',
    );
    const isLoggedIn = async (cookie: string): Promise<boolean> =>
      (await send(account, { headers: { cookie } })).status === 200;
    expect(await isLoggedIn(`tessera_browser=${browser}; tessera_session=${session}`)).toBe(true);
    const tossed = 'A'.repeat(43);
    for (const cookie of [
      `tessera_session=${tossed}; tessera_session=${session}`,
      `tessera_session=${session}; tessera_session=${tossed}`,
      `tessera_session=${session}; tessera_session=${session}`,
      `\u00a0tessera_session=${session}`,
      `tessera_session =${session}`,
      `Tessera_Session=${session}`,
      `$Version=1; tessera_session="${session}"`,
      `__Host-tessera_session=${session}`,
      `tessera_session=${session}%00`,
    ]) {
      const header = Buffer.from(cookie, 'latin1').toString('latin1');
      expect(await isLoggedIn(header), cookie.replaceAll(session ?? '', 'SESSION')).toBe(false);
    }
  });
});
