import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startFaultyProvider, type Fault, type FaultyProvider } from '../harness/faulty-provider.ts';
import { findText } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { send, type Answer } from '../harness/send.ts';
import { createVisitor, isRedirect, type Visitor } from '../harness/visitor.ts';

const hour = 3_600;

/** What the provider does wrong, and the words of the step on the page that refuses it. */
const faults: [string, Fault, RegExp][] = [
  ['another state', { redirect: (url) => url.searchParams.set('state', 'another') }, /state|attempt/i],
  ['no state', { redirect: (url) => url.searchParams.delete('state') }, /state|attempt/i],
  [
    'an answer of another issuer',
    { redirect: (url) => url.searchParams.set('iss', 'https://evil.example') },
    /iss/,
  ],
  ['an answer without an issuer', { redirect: (url) => url.searchParams.delete('iss') }, /iss/],
  ['another nonce', { claims: (claims) => ({ ...claims, nonce: 'another' }) }, /nonce/],
  ['no nonce', { claims: ({ nonce: _nonce, ...claims }) => claims }, /nonce/],
  ['another audience', { claims: (claims) => ({ ...claims, aud: 'another-client' }) }, /aud/],
  [
    'another authorized party',
    { claims: (claims) => ({ ...claims, aud: ['tessera', 'another'], azp: 'another' }) },
    /azp/,
  ],
  [
    'another authorized party, for this audience alone',
    { claims: (claims) => ({ ...claims, azp: 'another' }) },
    /azp/,
  ],
  [
    'several audiences and no authorized party',
    { claims: (claims) => ({ ...claims, aud: ['tessera', 'another'] }) },
    /azp|aud/,
  ],
  ['another issuer', { claims: (claims) => ({ ...claims, iss: 'https://evil.example' }) }, /iss/],
  ['another spelling of the issuer', { claims: (claims) => ({ ...claims, iss: `${claims.iss}/` }) }, /iss/],
  ['no expiry', { claims: ({ exp: _exp, ...claims }) => claims }, /exp/],
  ['no time of issue', { claims: ({ iat: _iat, ...claims }) => claims }, /iat/],
  ['an empty subject', { claims: (claims) => ({ ...claims, sub: '' }) }, /sub/],
  [
    'an ID token that has expired',
    { claims: (claims) => ({ ...claims, exp: (claims.iat ?? 0) - hour }) },
    /exp/,
  ],
  [
    'an ID token of the future',
    { claims: (claims) => ({ ...claims, iat: (claims.iat ?? 0) + hour }) },
    /iat/,
  ],
  ['no subject', { claims: ({ sub: _sub, ...claims }) => claims }, /sub/],
  ['the hash of another access token', { claims: (claims) => ({ ...claims, at_hash: 'AAAA' }) }, /at_hash/],
  ['a signature by a key nobody published', { signature: 'other-key' }, /signature/],
  ['a signature with the public key as a secret', { signature: 'hmac-with-public-key' }, /signature|signed/],
  ['no signature', { signature: 'none' }, /signature|signed/],
  [
    'userinfo of another person',
    { userinfo: (body) => Object.assign(body, { sub: 'somebody-else' }) },
    /userinfo/i,
  ],
];

describe('the callback of a visitor (security-95, 96)', () => {
  let provider: FaultyProvider;
  let tessera: RunningTessera;
  let world: PassportWorld;

  beforeAll(async () => {
    provider = await startFaultyProvider();
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, provider);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
    await provider?.close();
  });
  beforeEach(() => provider.misbehave({}));

  const isCallback = (url: URL): boolean => url.href.startsWith(`${tessera.urls.connect}/callback`);

  /** As far as the redirect with which the provider sends the browser back. */
  async function goToCallback(visitor: Visitor): Promise<URL> {
    const answer = await visitor.visit(`${world.deployment.url}/`, isCallback);
    if (!isRedirect(answer)) throw new Error(`the way stopped with ${answer.status} at ${answer.url.href}`);
    return answer.location();
  }

  async function expectNoSession(visitor: Visitor): Promise<void> {
    const answer = await visitor.open(`${world.deployment.url}/`);
    expect(answer.status, 'the deployment is still closed').toBe(303);
  }

  test('lets an honest provider pass', async () => {
    const answer = await createVisitor().visit(`${world.deployment.url}/`);
    expect(answer.status, answer.text).toBe(200);
  });

  test.each(faults)(
    'refuses %s, and the page names the step (advisory-23, advisory-extra: mix-up, advisory-extra: keys)',
    async (_title, fault, step) => {
      provider.misbehave(fault);
      const visitor = createVisitor();
      const page = await visitor.follow(await visitor.open(await goToCallback(visitor)));
      expectRefusal(page, step);
      await expectNoSession(visitor);
    },
  );

  test('refuses a person who cancelled at the provider', async () => {
    provider.misbehave({
      redirect(url) {
        url.searchParams.delete('code');
        url.searchParams.set('error', 'access_denied');
        url.searchParams.set('error_description', 'The person cancelled');
      },
    });
    const visitor = createVisitor();
    const page = await visitor.open(await goToCallback(visitor));
    expectRefusal(page, /cancel|denied/i);
    await expectNoSession(visitor);
  });

  test('refuses a second browser that brings the answer of the first (advisory-extra: login CSRF)', async () => {
    const first = createVisitor();
    const callback = await goToCallback(first);
    const second = createVisitor();
    expectRefusal(await second.open(callback), /browser/i);
    await expectNoSession(second);
    // Even one that is in the middle of a sign-in of its own.
    await goToCallback(second);
    expectRefusal(await second.open(callback), /browser/i);
    await expectNoSession(second);
  });

  test('refuses an answer that comes a second time', async () => {
    const visitor = createVisitor();
    const callback = await goToCallback(visitor);
    expect((await visitor.follow(await visitor.open(callback))).status).toBe(200);
    const again = await visitor.open(callback);
    expect(again.status).toBeGreaterThanOrEqual(400);
    expect(again.status).toBeLessThan(500);
  });

  test('refuses an attempt that has expired', async () => {
    const visitor = createVisitor();
    const callback = await goToCallback(visitor);
    tessera.advance(24 * hour * 1_000);
    expectRefusal(await visitor.open(callback), /expired|too long|late/i);
    await expectNoSession(visitor);
  });

  test('refuses a start link that is used a second time', async () => {
    const visitor = createVisitor();
    const start = (await visitor.open(`${world.deployment.url}/`)).location();
    expect(start.href.startsWith(`${tessera.urls.connect}/start?`)).toBe(true);
    expect((await visitor.open(start)).location().origin).toBe(provider.issuer);
    const again = await visitor.open(start);
    expectRefusal(again, /link|used|start/i);
  });

  test('takes no step that is empty, by another method, or before the one that leads to it (advisory-23)', async () => {
    const { connect } = tessera.urls;
    const visitor = createVisitor();
    const start = (await visitor.open(`${world.deployment.url}/`)).location();
    const atProvider = (await visitor.open(start)).location();
    const state = atProvider.searchParams.get('state') ?? '';
    const iss = encodeURIComponent(provider.issuer);
    const finish = `${world.deployment.url}/.well-known/vercel/passport/finish`;
    const steps: [method: string, url: string, body?: string][] = [
      ['GET', `${connect}/start`],
      ['GET', `${connect}/start?code=`],
      ['GET', `${connect}/start?code=${state}`],
      ['POST', `${connect}/start`, ''],
      ['POST', `${connect}/start`, `code=${start.searchParams.get('code')}`],
      ['GET', `${connect}/callback`],
      ['GET', `${connect}/callback?state=`],
      ['GET', `${connect}/callback?state=&code=`],
      ['GET', `${connect}/callback?code=x&iss=${iss}`],
      ['GET', `${connect}/callback?state=${start.searchParams.get('code')}&code=x&iss=${iss}`],
      ['GET', `${connect}/callback?state=${state}&state=${state}&code=x&iss=${iss}`],
      ['POST', `${connect}/callback`, ''],
      ['POST', `${connect}/callback`, `state=${state}&code=x&iss=${iss}`],
      ['PUT', `${connect}/callback?state=${state}&code=x&iss=${iss}`, ''],
      ['GET', finish],
      ['GET', `${finish}?code=`],
      ['GET', `${finish}?code=${state}`],
      ['POST', finish, ''],
      ['POST', `${connect}/end-session`, ''],
      ['POST', `${connect}/backchannel-logout/${world.connectorId}`, ''],
      ['POST', `${world.deployment.url}/.well-known/vercel/passport/password`, ''],
    ];
    for (const [method, url, body] of steps) {
      const cookie = visitor.cookies.header(new URL(url)) ?? '';
      const answer = await send(url, {
        method,
        headers: {
          cookie,
          accept: 'text/html',
          origin: new URL(url).origin,
          'sec-fetch-site': 'same-origin',
          ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(body === undefined ? {} : { body }),
      });
      const what = `${method} ${url} ${body ?? ''} was answered ${answer.status}`;
      expect(answer.status, what).toBeGreaterThanOrEqual(400);
      expect(answer.status, what).toBeLessThan(500);
      expect(answer.headers['set-cookie'], what).toBeUndefined();
      expect(answer.headers.location, what).toBeUndefined();
    }
    await expectNoSession(visitor);
    // None of it used up what the visitor began with.
    const callback = (await visitor.open(atProvider)).location();
    expect((await visitor.visit(callback)).status).toBe(200);
  });

  test('refuses an answer without a code, and one whose code is empty', async () => {
    for (const spoil of [
      (url: URL) => url.searchParams.delete('code'),
      (url: URL) => url.searchParams.set('code', ''),
      (url: URL) => url.searchParams.append('code', 'another'),
    ]) {
      provider.misbehave({ redirect: spoil });
      const visitor = createVisitor();
      expectRefusal(await visitor.open(await goToCallback(visitor)), /authorization|code|once/);
      await expectNoSession(visitor);
    }
  });

  test('asks with a state, a nonce and a challenge of this attempt alone (security-95)', async () => {
    const visitor = createVisitor();
    const seen = new Set<string>();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { searchParams } = await (async () => {
        const start = (await visitor.open(`${world.deployment.url}/`)).location();
        return (await visitor.open(start)).location();
      })();
      expect(searchParams.get('code_challenge_method')).toBe('S256');
      expect(searchParams.get('response_type')).toBe('code');
      for (const name of ['state', 'nonce', 'code_challenge']) {
        const value = searchParams.get(name) ?? '';
        expect(value, name).toMatch(/^[\w-]{43}$/);
        seen.add(value);
      }
    }
    expect(seen.size).toBe(15);
  });

  test('refuses a start link after a minute, and leads back to the page', async () => {
    const visitor = createVisitor();
    const start = (await visitor.open(`${world.deployment.url}/page`)).location();
    tessera.advance(61_000);
    const late = await visitor.open(start);
    expectRefusal(late, /older than a minute/);
    expect(late.text).toContain(`href="${world.deployment.url}/page"`);
    expect(late.headers.location).toBeUndefined();
  });

  test('refuses a hand-off in another browser, and the code is spent', async () => {
    const visitor = createVisitor();
    const callback = await goToCallback(visitor);
    const finish = (await visitor.open(callback)).location();
    expect(finish.pathname).toBe('/.well-known/vercel/passport/finish');
    const thief = createVisitor();
    const refused = await thief.open(finish);
    expectRefusal(refused, /browser/i);
    await expectNoSession(thief);
    await visitor.open(finish);
    await expectNoSession(visitor);
  });
});

function expectRefusal(page: Answer, step: RegExp): void {
  expect(page.status, page.text).toBeGreaterThanOrEqual(400);
  expect(page.status, page.text).toBeLessThan(500);
  expect(page.headers['set-cookie']?.join() ?? '').not.toContain('_vercel_passport=e');
  expect(findText(page.text, 'error-reference')).toMatch(/^re[fq]_\w{12,}$/);
  const words = `${findText(page.text, 'error-code')} ${findText(page.text, 'error-description')}`;
  expect(words).toMatch(step);
}
