import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { decodeJwt, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findText } from '../harness/html.ts';
import { lookInto } from '../harness/look-into.ts';
import { createPassportWorld, passPassport, person, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { startForgingProvider, type ForgingProvider } from './forging-provider.ts';

type Echo = { headers: Record<string, string> };

const isIn = async (visitor: Visitor, url: string) =>
  (await visitor.open(`${url}/`, { 'sec-fetch-mode': 'cors', accept: '*/*' })).status === 200;

/** The provider is set up before the connector has its address: what it says there is carried on. */
async function startMailbox() {
  let target: string | undefined;
  const answers: number[] = [];
  const carry = async (request: IncomingMessage, response: ServerResponse) => {
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    const answer = await fetch(target ?? '', { method: 'POST', headers, body: await text(request) });
    answers.push(answer.status);
    response.writeHead(answer.status).end();
  };
  const server = createServer((request, response) => void carry(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    answers,
    carryTo: (url: string) => void (target = url),
    close: () => server.close(),
  };
}

describe.each(databaseKinds)('sessions at a real identity provider, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let mailbox: Awaited<ReturnType<typeof startMailbox>>;
  const grace = { ...person, disabled: false };

  beforeAll(async () => {
    tessera = await startTessera(kind);
    mailbox = await startMailbox();
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, undefined, {
      backchannelLogoutUri: mailbox.url,
      person: grace,
    });
    const connector = await world.call('connectors.update', {
      params: { id: world.connectorId },
      query: { teamId: world.team.id },
      body: { usesRefreshTokens: true },
    });
    mailbox.carryTo(connector.backchannelLogoutUri);
  });
  afterAll(async () => {
    mailbox?.close();
    await world?.close();
    await tessera?.close();
  });
  beforeEach(() => Object.assign(grace, { ...person, disabled: false }));

  const page = () => `${world.deployment.url}/`;
  const enter = async (url = page()) => {
    const visitor = createVisitor();
    const answer = await passPassport(visitor, url);
    expect(answer.status, answer.text).toBe(200);
    return visitor;
  };
  const groupsSeen = async (visitor: Visitor) => {
    const { headers } = JSON.parse((await visitor.visit(page())).text) as Echo;
    return decodeJwt(headers['x-vercel-oidc-passport-token'] ?? '')['groups'];
  };

  test('a visitor signs out here, then there, and is out at every other deployment', async () => {
    const visitor = await enter();
    const other = await world.protect(`other-${kind}`);
    expect((await passPassport(visitor, `${other.url}/`)).status).toBe(200);
    const somebody = await enter(`${other.url}/`);

    const signedOut = await visitor.visit(`${world.deployment.url}/.well-known/vercel/passport/sign-out`);
    expect(findText(signedOut.text, 'signed-out')).toContain('you may still be signed in');
    expect(await isIn(visitor, world.deployment.url)).toBe(false);
    expect(await isIn(visitor, other.url)).toBe(true);

    const leaving = await visitor.submit(signedOut, 'end-session');
    expect(leaving.status, leaving.text).toBe(200);
    expect(leaving.headers['cache-control']).toBe('no-store');
    expect(leaving.headers['referrer-policy']).toBe('no-referrer');
    const atProvider = await visitor.visit(
      /^0; url=(.+)$/.exec(leaving.headers['refresh'] as string)?.[1] ?? '',
    );
    // Its own page asks once more; the ID token told it who is meant.
    expect(atProvider.text).toContain('op.logoutForm');
    mailbox.answers.length = 0;
    await visitor.submit(atProvider, 'op.logoutForm', {}, 'sign-out-submit');
    await expect.poll(() => mailbox.answers).toEqual([200]);
    expect(await isIn(visitor, other.url)).toBe(false);
    // The same person, signed in elsewhere, by another session of the provider.
    expect(await isIn(somebody, other.url)).toBe(true);
    expect((await visitor.visit(page())).text).toContain('id="sign-in"');

    const again = await visitor.submit(signedOut, 'end-session');
    expect(again.status).toBe(400);
  });

  test('a session asks again, and sees what the provider says of the visitor by then', async () => {
    const visitor = await enter();
    expect(await groupsSeen(visitor)).toEqual(['staff']);
    grace.groups = ['staff', 'board'];
    tessera.advance(61 * 60_000);
    await expect.poll(() => groupsSeen(visitor), { timeout: 15_000 }).toEqual(['staff', 'board']);
    // It goes on asking, with the token that the last answer gave.
    grace.groups = ['board'];
    tessera.advance(61 * 60_000);
    await expect.poll(() => groupsSeen(visitor), { timeout: 15_000 }).toEqual(['board']);
  });

  test('an answer that says nothing new makes no gateway forget its sessions', async () => {
    const query = { teamId: world.team.id };
    // Those of other tests ask again as well.
    await world.call('passport-sessions.end-many', { query: { ...query, all: 'true' } });
    const visitor = await enter();
    const [session] = (await world.call('passport-sessions.list', { query })).sessions;
    const look = async (question: string) =>
      Object.values((await lookInto(tessera.database, question))[0] ?? {})[0];
    const tokens = () =>
      look(`select "providerTokens" from "passportSessions" where "id" = '${session?.sid}'`);
    const notes = () => look(`select "count" from "changes" where "kind" = 'visitors'`);
    const [tokensBefore, notesBefore] = [await tokens(), await notes()];
    tessera.advance(61 * 60_000);
    await expect.poll(tokens, { timeout: 15_000 }).not.toBe(tokensBefore);
    expect(await notes()).toBe(notesBefore);
    grace.groups = ['staff', 'board'];
    tessera.advance(61 * 60_000);
    await expect.poll(notes, { timeout: 15_000 }).not.toBe(notesBefore);
    expect(await groupsSeen(visitor)).toEqual(['staff', 'board']);
  });

  test('a session ends when the provider takes the account away', async () => {
    const visitor = await enter();
    grace.disabled = true;
    tessera.advance(61 * 60_000);
    await expect.poll(() => isIn(visitor, world.deployment.url), { timeout: 15_000 }).toBe(false);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id, limit: 100 } });
    expect(
      records.filter(
        ({ action, after }) =>
          action === 'passport-session.end' && (after as { by?: string } | null)?.by === 'provider',
      ),
    ).not.toEqual([]);
  });

  test('a session ends when the policy does not let the visitor in any more', async () => {
    const { projectId } = world.deployment;
    const setting = { connectorId: world.connectorId, deploymentType: 'all' as const };
    const update = (policy: 'everyone' | { anyOf: { claim: string; values: string[] }[] }) =>
      world.call('projects.update', {
        params: { idOrName: projectId },
        query: { teamId: world.team.id },
        body: { passport: { ...setting, policy } },
      });
    await update({ anyOf: [{ claim: 'groups', values: ['staff'] }] });
    const visitor = await enter();
    grace.groups = ['guests'];
    tessera.advance(61 * 60_000);
    await expect.poll(() => isIn(visitor, world.deployment.url), { timeout: 15_000 }).toBe(false);
    await update('everyone');
  });
});

describe('a logout token', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let provider: ForgingProvider;
  const clientId = 'client-1';

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    provider = await startForgingProvider();
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, {
      issuer: provider.issuer,
      clientId,
      clientSecret: 'a secret',
    });
  });
  afterAll(async () => {
    await world?.close();
    await provider?.close();
    await tessera?.close();
  });

  const now = () => Math.floor(Date.now() / 1000);
  const event = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const logout = (claims: Record<string, unknown> = {}) => ({
    iss: provider.issuer,
    aud: clientId,
    iat: now(),
    exp: now() + 120,
    jti: crypto.randomUUID(),
    events: event,
    sub: 'visitor|1',
    ...claims,
  });
  const sign = (claims: Record<string, unknown>, header = {}, key: CryptoKey | Uint8Array = provider.key) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', typ: 'logout+jwt', ...header })
      .sign(key);
  const post = (token: string, connectorId = world.connectorId) =>
    send(`${tessera.urls.connect}/backchannel-logout/${connectorId}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
  async function enter(sid?: string): Promise<Visitor> {
    provider.forge.claims = (claims) => ({ ...claims, ...(sid === undefined ? {} : { sid }) });
    const visitor = createVisitor();
    const leaving = await visitor.visit(`${world.deployment.url}/`, (url) =>
      url.href.startsWith(provider.issuer),
    );
    const { state, code } = provider.remember(leaving.location().href);
    const callback = new URL(`${tessera.urls.connect}/callback`);
    callback.search = new URLSearchParams({ code, state, iss: provider.issuer }).toString();
    const entered = await visitor.visit(callback);
    expect(entered.status, entered.text).toBe(200);
    return visitor;
  }

  test('ends the session of its sid, all sessions of its sub, and where no sid is known those of the person', async () => {
    const [one, two, unnamed] = [await enter('one'), await enter('two'), await enter()];
    const state = async () =>
      Promise.all([one, two, unnamed].map((visitor) => isIn(visitor, world.deployment.url)));
    expect(await state()).toEqual([true, true, true]);
    expect((await post(await sign(logout({ sub: undefined, sid: 'nobody' })))).status).toBe(200);
    expect((await post(await sign(logout({ sub: 'visitor|2', sid: 'one' })))).status).toBe(200);
    expect(await state()).toEqual([true, true, true]);
    expect((await post(await sign(logout({ sub: undefined, sid: 'one' })))).status).toBe(200);
    expect(await state()).toEqual([false, true, true]);
    expect((await post(await sign(logout({ sid: 'three' })))).status).toBe(200);
    expect(await state()).toEqual([false, true, false]);
    expect((await post(await sign(logout()))).status).toBe(200);
    expect(await state()).toEqual([false, false, false]);
  });

  test('ends nothing that began after it was made: played back, it signs nobody out', async () => {
    const old = await sign(logout({ iat: now() - 200 }));
    const visitor = await enter();
    expect((await post(old)).status).toBe(200);
    expect(await isIn(visitor, world.deployment.url)).toBe(true);
  });

  test('that is not one is refused, with the reason, and ends nothing', async () => {
    const visitor = await enter('one');
    const { privateKey } = await generateKeyPair('ES256');
    const cases: [string, Promise<string> | string][] = [
      ['Required', ''],
      ['do not verify', 'x.y.z'],
      ['do not verify', sign(logout(), {}, privateKey)],
      ['do not verify', sign(logout(), { alg: 'HS256' }, new TextEncoder().encode(provider.jwk.x))],
      ['Received iss', sign(logout({ iss: `${provider.issuer}/` }))],
      ['Received aud', sign(logout({ aud: 'another' }))],
      ['Received a nonce', sign(logout({ nonce: 'n' }))],
      ['Received events', sign(logout({ events: undefined }))],
      ['Received events', sign(logout({ events: { other: {} } }))],
      ['Received typ', sign(logout(), { typ: 'at+jwt' })],
      ['neither sub nor sid', sign(logout({ sub: undefined }))],
      ['Received sub', sign(logout({ sub: 7 }))],
      ['time is over', sign(logout({ exp: now() - 120 }))],
      ['time is over', sign(logout({ exp: undefined, iat: now() - 1_000 }))],
      ['Received iat', sign(logout({ iat: undefined }))],
      ['Received iat', sign(logout({ iat: now() + 600 }))],
    ];
    for (const [reason, token] of cases) {
      const answer = await post(await token);
      expect(answer.status, reason).toBe(400);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect((JSON.parse(answer.text) as { error_description: string }).error_description).toContain(reason);
    }
    expect((await post(await sign(logout()), 'scl_other')).status).toBe(404);
    expect(await isIn(visitor, world.deployment.url)).toBe(true);
  });
});
