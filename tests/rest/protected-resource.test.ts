import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

describe.each(databaseKinds)('the REST API as a protected resource (RFC 9728), on %s', (kind) => {
  let tessera: RunningTessera;
  beforeAll(async () => {
    tessera = await startTessera(kind, { variables: { TESSERA_DYNAMIC_REGISTRATION: 'on' } });
  });
  afterAll(() => tessera?.close());

  test('a program that was refused finds the authorization server', async () => {
    const { api, origin } = tessera.urls;
    const refused = await send(`${api}/v2/user`);
    expect(refused.status).toBe(401);
    const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '')?.[1];
    expect(metadata).toBe(`${origin}/.well-known/oauth-protected-resource/api`);
    const answer = await send(metadata ?? '');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.json()).toMatchObject({
      resource: api,
      authorization_servers: [origin],
      bearer_methods_supported: ['header'],
    });
  });

  test('an agent that nobody knows gets from the refusal to an answer, and reads only', async () => {
    const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const refused = await send(`${tessera.urls.api}/v2/user`);
    const at = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '')?.[1];
    const resource = (await send(at ?? '')).json() as {
      resource: string;
      authorization_servers: [string];
      scopes_supported: string[];
    };
    const server = (
      await send(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`)
    ).json() as { registration_endpoint: string; token_endpoint: string };
    const redirectUri = 'http://127.0.0.1:43111/callback';
    const registration = await send(server.registration_endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: ['http://127.0.0.1/callback'],
        scope: ['openid', 'project:write', ...resource.scopes_supported].join(' '),
        token_endpoint_auth_method: 'none',
      }),
    });
    const client = registration.json() as { client_id: string; scope: string };
    expect(client.scope).toBe('openid user:read');
    const request = createAuthorizationRequest(
      tessera.urls.origin,
      { clientId: client.client_id, redirectUri },
      { scope: client.scope, resource: resource.resource },
    );
    const answer = await passSignInPages(world.admin.visitor, request.url, world.admin);
    const tokens = await sendForm(server.token_endpoint, {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: request.codeVerifier,
      resource: resource.resource,
    });
    expect(tokens.status, tokens.text).toBe(200);
    const { access_token: accessToken } = tokens.json() as { access_token: string };
    const call = (method: string, path: string) =>
      send(`${tessera.urls.api}${path}`, { method, headers: { authorization: `Bearer ${accessToken}` } });
    expect((await call('GET', '/v2/user')).json()).toMatchObject({ user: { email: world.admin.email } });
    expect((await call('POST', `/v1/projects?teamId=${world.team.id}`)).status).toBe(404);
  });
});
