import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { createSignInWorld } from '../harness/sign-in-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { sendRaw } from '../gateway/echo-upstream.ts';
import { startGatewayWorld, type GatewayWorld } from '../gateway/gateway-world.ts';
import { openRedirectPayloads } from './open-redirect-payloads.ts';

const host = 'a.app.localhost';
const payloads = openRedirectPayloads(host);
const atOnce = 25;

/** Each payload's own finding; the list of all is shown when one is wrong. */
async function findAll(look: (payload: string) => Promise<string | undefined>): Promise<string[]> {
  const findings: string[] = [];
  for (let from = 0; from < payloads.length; from += atOnce) {
    const some = payloads.slice(from, from + atOnce);
    const found = await Promise.all(
      some.map(async (payload) => {
        const finding = await look(payload);
        return finding === undefined ? undefined : `${JSON.stringify(payload)}: ${finding}`;
      }),
    );
    findings.push(...found.filter((finding) => finding !== undefined));
  }
  return findings;
}

/** A Location is absolute, plain, and of exactly the origin that it is to be of, in whatever way it is read. */
function wrongLocation(location: string | undefined, origin: string): string | undefined {
  if (location === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(location)) return `not plain: ${JSON.stringify(location)}`;
  if (!location.startsWith(`${origin}/`)) return `leads to ${location}`;
  return URL.parse(location)?.origin === origin ? undefined : `is read as ${URL.parse(location)?.origin}`;
}

test('the corpus is a large one', () => {
  expect(payloads.length).toBeGreaterThan(700);
  expect(new Set(payloads).size).toBe(payloads.length);
});

describe('no address leads a visitor away from the deployment (advisory-19, security-91)', () => {
  let world: GatewayWorld;
  let origin: string;
  beforeAll(async () => {
    world = await startGatewayWorld();
    origin = world.originOf(host);
  });
  afterAll(() => world.close());

  /** As it is, from a raw socket: a client would tidy it. */
  async function ask(target: string, lines: readonly string[] = [], at = host) {
    const head = [
      `GET ${target} HTTP/1.1`,
      `Host: ${world.hostHeader(at)}`,
      'Accept: text/html',
      'Sec-Fetch-Mode: navigate',
      'Connection: close',
      ...lines,
    ];
    const bytes = Buffer.from([...head, '', ''].join('\r\n'), 'utf8');
    const { status, text } = await sendRaw(world.port, bytes);
    const locations = [...text.matchAll(/^location: (.*)\r$/gim)].map(([, value = '']) => value);
    const cookies = [...text.matchAll(/^set-cookie: ([^;\r]*)/gim)].map(([, value = '']) => value);
    const body = text.slice(text.indexOf('\r\n\r\n'));
    return { status, location: locations[0], several: locations.length > 1, cookies, body };
  }

  test('by the way through the sign-in and back', async () => {
    let finished = 0;
    const findings = await findAll(async (payload) => {
      const start = await ask(payload);
      if (start.several) return 'two locations';
      if (start.status !== 303) return start.location;
      const away = wrongLocation(start.location, new URL(world.urls.connect).origin);
      if (away !== undefined) return away;
      const code = await world.handOff(start.location);
      const end = await ask(world.finishPath(code), [`Cookie: ${start.cookies.join('; ')}`]);
      if (end.status !== 303) return `finish answered ${end.status}`;
      finished++;
      return wrongLocation(end.location, origin);
    });
    expect(findings).toEqual([]);
    // The corpus does reach the redirect, and is not only refused before.
    expect(finished).toBeGreaterThan(100);
  }, 120_000);

  test('by parameters of the paths that are ours', async () => {
    const jar = createCookieJar();
    await world.signIn(host, jar);
    const spent = await ask('/');
    const code = await world.handOff(spent.location);
    await ask(world.finishPath(code));
    const findings = await findAll(async (payload) => {
      const value = encodeURIComponent(payload);
      const extra = ['next', 'url', 'rd', 'return', 'returnTo', 'path', 'host', 'redirect_uri', 'state']
        .map((name) => `${name}=${value}`)
        .join('&');
      const answers = await Promise.all([
        ask(`${world.wire.finishPath}?code=${code}&${extra}`),
        ask(`${world.wire.finishPath}?${extra}`),
        ask(`${world.wire.finishPath}?code=${value}`),
        ask(`${world.wire.signOutPath}?${extra}`, ['Sec-Fetch-Site: cross-site']),
        ask(`${world.wire.signOutPath}?${extra}`, ['Sec-Fetch-Site: none']),
      ]);
      for (const { location, several, body } of answers) {
        if (several) return 'two locations';
        const wrong = wrongLocation(location, origin);
        if (wrong !== undefined) return wrong;
        const links = [...body.matchAll(/(?:href|action)="([^"]*)"/g)].map(([, link = '']) => link);
        const away = links.find(
          (link) => !link.startsWith(`${origin}/`) && link !== world.wire.signOutPath && link !== 'data:,',
        );
        if (away !== undefined) return `links to ${away}`;
      }
      return undefined;
    });
    expect(findings).toEqual([]);
  }, 120_000);

  test('by the page of a password', async () => {
    const at = 'word.app.localhost';
    world.site(at, {
      passport: null,
      protection: { passwordProtection: { deploymentType: 'all', version: '1', changedAt: 0 } },
    });
    let asked = 0;
    const findings = await findAll(async (payload) => {
      const value = encodeURIComponent(payload);
      const start = await ask(payload, [], at);
      if (start.several) return 'two locations';
      if (start.status === 303) asked++;
      const page = await ask(`${world.wire.passwordPath}?to=${value}&next=${value}`, [], at);
      const links = [...page.body.matchAll(/(?:href|action)="([^"]*)"/g)].map(([, link = '']) => link);
      const own = [world.wire.passwordPath, 'data:,'];
      const away = links.find((link) => !link.startsWith(`${world.originOf(at)}/`) && !own.includes(link));
      if (away !== undefined) return `links to ${away}`;
      return (
        wrongLocation(start.location, world.originOf(at)) ?? wrongLocation(page.location, world.originOf(at))
      );
    });
    expect(findings).toEqual([]);
    expect(asked).toBeGreaterThan(100);
  }, 120_000);

  test('by share links and bypass secrets', async () => {
    const by = { actor: 'tok_1', userId: 'usr_1', teamId: 'team_a', reference: 'req_test' };
    const { secret } = await world.bypasses.automation.generate('prj_a', {}, by);
    const link = await world.bypasses.shareLinks.generate({ host, projectId: 'prj_a' }, undefined, by);
    let entered = 0;
    const findings = await findAll(async (payload) => {
      const joint = payload.includes('?') ? '&' : '?';
      const value = encodeURIComponent(payload);
      const answers = await Promise.all([
        ask(`${payload}${joint}_vercel_share=${link.secret}`),
        ask(`${payload}${joint}x-vercel-protection-bypass=${secret}&x-vercel-set-bypass-cookie=true`),
        ask(payload, [`x-vercel-protection-bypass: ${secret}`, 'x-vercel-set-bypass-cookie: samesitenone']),
        ask(`/?_vercel_share=${link.secret}&next=${value}&url=${value}`),
      ]);
      for (const { status, location, several } of answers) {
        if (several) return 'two locations';
        if (location?.includes(secret) === true || location?.includes(link.secret) === true)
          return 'the secret stays';
        const wrong = wrongLocation(location, origin);
        if (wrong !== undefined && !(location ?? '').startsWith(`${world.urls.connect}/start?code=`))
          return wrong;
        if (status === 303) entered++;
      }
      return undefined;
    });
    expect(findings).toEqual([]);
    expect(entered).toBeGreaterThan(1_000);
  }, 120_000);
});

describe('no parameter leads away after a login', () => {
  let tessera: RunningTessera;
  let visitor: Visitor;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    ({ visitor } = (await createSignInWorld(tessera.urls, tessera.setUpLink)).admin);
  });
  afterAll(() => tessera?.close());

  test('neither of somebody who is signed in nor of somebody who is not', async () => {
    const origin = new URL(tessera.urls.origin).origin;
    const stranger = createVisitor();
    const findings = await findAll(async (payload) => {
      const login = `${tessera.urls.origin}/login?return=${encodeURIComponent(payload)}`;
      const cookie = visitor.cookies.header(new URL(login));
      const known = await send(login, {
        headers: { accept: 'text/html', ...(cookie === undefined ? {} : { cookie }) },
      });
      const { location } = known.headers;
      if (known.status >= 500) return `answered ${known.status}`;
      if (location !== undefined && new URL(location, login).origin !== origin) return `leads to ${location}`;
      if (location !== undefined && /[\s\\]|^\/\//.test(location))
        return `may be read otherwise: ${location}`;
      const page = await stranger.open(login);
      const links = [...page.text.matchAll(/(?:href|action)="([^"]*)"/g)].map(([, link = '']) => link);
      const away = links.find((link) => new URL(link.replaceAll('&amp;', '&'), login).origin !== origin);
      return away === undefined ? undefined : `links to ${away}`;
    });
    expect(findings).toEqual([]);
  }, 120_000);
});
