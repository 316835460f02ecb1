import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, expect } from 'vitest';
import { send } from '../harness/send.ts';
import { verifyDiscovery } from './discovery.ts';
import { createLogoutClient, expectLoggedOut, logInForLogout, passLogout } from './logout.ts';
import { describePlan, type DefineModule } from './plan.ts';
import { plans } from './plans.ts';

describePlan(plans.backChannelLogout, 'sqlite', defineModules);

function defineModules(module: DefineModule): void {
  const listeners: Server[] = [];
  afterAll(() => {
    for (const listener of listeners) listener.close();
  });

  module('oidcc-backchannel-logout-discovery-endpoint-verification', async ({ metadata }) => {
    expect(await verifyDiscovery(metadata.issuer)).toMatchObject({
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      end_session_endpoint: expect.any(String) as string,
    });
  });

  module('oidcc-backchannel-rp-initiated-logout', async (suite) => {
    const received = Promise.withResolvers<{ type: string; body: string }>();
    const listener = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.once('end', () => {
        response.writeHead(200, { 'cache-control': 'no-store' }).end();
        received.resolve({ type: request.headers['content-type'] ?? '', body });
      });
    });
    listeners.push(listener);
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    const { port } = listener.address() as AddressInfo;
    const backchannelLogoutUri = `http://localhost:${port}/backchannel_logout`;
    const client = await createLogoutClient(suite, 'Listening', { backchannelLogoutUri });

    const { visitor, parameters, claims: idToken } = await logInForLogout(suite, client);
    const { sentTo } = await passLogout(suite, visitor, parameters);
    expect(sentTo?.searchParams.get('state')).toBe(parameters.state);

    const { type, body } = await received.promise;
    expect(type).toMatch(/^application\/x-www-form-urlencoded/);
    const form = new URLSearchParams(body);
    expect([...form.keys()]).toEqual(['logout_token']);
    const { jwks_uri: keySetUri, issuer } = suite.metadata;
    const keySet = (await send(keySetUri)).json() as JSONWebKeySet;
    const { payload, protectedHeader } = await jwtVerify(
      form.get('logout_token') ?? '',
      createLocalJWKSet(keySet),
      { issuer, audience: client.clientId, typ: 'logout+jwt' },
    );
    expect(protectedHeader.alg).toBe('RS256');
    expect(payload).toMatchObject({
      jti: expect.any(String) as string,
      iat: expect.any(Number) as number,
      exp: expect.any(Number) as number,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      sub: idToken.sub,
      sid: idToken['sid'],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(120);
    expect(payload).not.toHaveProperty('nonce');
    await expectLoggedOut(suite, visitor, client);
  });
}
