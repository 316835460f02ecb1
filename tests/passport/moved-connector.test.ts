import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findText } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { startForgingProvider, type ForgingProvider } from './forging-provider.ts';

const clientId = 'client-1';

describe.each(databaseKinds)('a connector that moves to another provider, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let before: ForgingProvider;
  let after: ForgingProvider;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    [before, after] = await Promise.all([startForgingProvider(), startForgingProvider()]);
    for (const provider of [before, after]) {
      const end_session_endpoint = `${provider.issuer}/end`;
      provider.forge.discovery = (document) => ({ ...document, end_session_endpoint });
      provider.forge.token = (body) => ({
        status: 200,
        body: { ...body, refresh_token: `a refresh token of ${provider.issuer}` },
      });
    }
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, {
      issuer: before.issuer,
      clientId,
      clientSecret: 'a secret',
    });
  });
  afterAll(async () => {
    await world?.close();
    await Promise.all([before?.close(), after?.close()]);
    await tessera?.close();
  });

  const page = () => `${world.deployment.url}/`;
  const moveTo = async (provider: ForgingProvider) => {
    await world.call('connectors.update', {
      params: { id: world.connectorId },
      query: { teamId: world.team.id },
      body: { issuer: provider.issuer, clientSecret: 'another secret', usesRefreshTokens: true },
    });
    for (const { tokenRequests } of [before, after]) tokenRequests.length = 0;
  };
  const leaveFor = async (visitor: Visitor, provider: ForgingProvider) => {
    const leaving = await visitor.visit(page(), ({ href }) => href.startsWith(provider.issuer));
    const { state, code } = provider.remember(leaving.location().href);
    const callback = new URL(`${tessera.urls.connect}/callback`);
    callback.search = new URLSearchParams({ code, state, iss: provider.issuer }).toString();
    return callback;
  };
  const enter = async () => {
    const visitor = createVisitor();
    const entered = await visitor.visit(await leaveFor(visitor, before));
    expect(entered.status, entered.text).toBe(200);
    return visitor;
  };
  const isIn = async (visitor: Visitor) =>
    (await visitor.open(page(), { 'sec-fetch-mode': 'cors', accept: '*/*' })).status === 200;

  test('ends the sessions that it would ask about, and sends nobody’s tokens there', async () => {
    await moveTo(before);
    const visitor = await enter();
    await moveTo(after);
    tessera.advance(61 * 60_000);
    await expect.poll(() => isIn(visitor), { timeout: 15_000 }).toBe(false);
    expect(after.tokenRequests).toEqual([]);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id, limit: 20 } });
    expect(records).toContainEqual(
      expect.objectContaining({
        action: 'passport-session.end',
        after: expect.objectContaining({
          because: 'The connector was moved to another provider.',
        }) as unknown,
      }),
    );
  });

  test('brings nobody who signs out to a provider that did not sign them in', async () => {
    await moveTo(before);
    const visitor = await enter();
    await moveTo(after);
    const signedOut = await visitor.visit(`${world.deployment.url}/.well-known/vercel/passport/sign-out`);
    expect(findText(signedOut.text, 'signed-out')).toContain('you may still be signed in');
    const leaving = await visitor.submit(signedOut, 'end-session');
    expect(leaving.status, leaving.text).toBe(404);
    expect(leaving.headers['refresh']).toBeUndefined();
    expect(leaving.text).not.toContain(after.issuer);
  });

  test('gets no code of a sign-in that was on its way', async () => {
    await moveTo(before);
    const visitor = createVisitor();
    const callback = await leaveFor(visitor, before);
    // A provider that does not name itself in its answers.
    callback.searchParams.delete('iss');
    after.forge.discovery = (document) => ({
      ...document,
      authorization_response_iss_parameter_supported: false,
    });
    await moveTo(after);
    const stopped = await visitor.visit(callback);
    expect(stopped.text).toContain('moved during the sign-in');
    expect(after.tokenRequests).toEqual([]);
    expect(await isIn(visitor)).toBe(false);
  });
});
