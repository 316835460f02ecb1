import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../packages/contract/src/index.ts';
import { commandLineClientId, logInCommandLine } from '../harness/command-line.ts';
import { setUpPerson } from '../harness/front-door.ts';
import { textOf } from '../harness/html.ts';
import { send, sendForm } from '../harness/send.ts';
import { createSignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { describeSignIn } from './on-both-databases.ts';

describeSignIn('the login of the command line', (place) => {
  const logInHere = (more = {}) => logInCommandLine(place.tessera.urls, place.world.admin, more);
  const refresh = (refreshToken: string) =>
    sendForm(`${place.tessera.urls.api}/login/oauth/token`, {
      grant_type: 'refresh_token',
      client_id: commandLineClientId,
      refresh_token: refreshToken,
    });

  test('comes to any port of loopback, and to no other address', async () => {
    for (const redirectUri of ['http://127.0.0.1:1024/callback', 'http://[::1]:65535/callback']) {
      await expect(logInHere({ redirectUri })).resolves.toMatchObject({ token_type: 'Bearer' });
    }
    for (const redirectUri of [
      'http://127.0.0.1:1024/other',
      'http://evil.example/callback',
      'https://127.0.0.1/callback',
      'http://127.0.0.1.evil.example/callback',
    ]) {
      const { url } = createAuthorizationRequest(place.tessera.urls.origin, {
        clientId: commandLineClientId,
        redirectUri,
      });
      const page = await send(url);
      expect(page.status).toBe(400);
      expect(textOf(page.text)).toContain('redirect URI is not registered');
    }
  });

  test('is asked about each time, and says that it acts for the person', async () => {
    const visitor = createVisitor();
    await logInHere({ visitor });
    const request = createAuthorizationRequest(place.tessera.urls.origin, {
      clientId: commandLineClientId,
      redirectUri: 'http://127.0.0.1:2000/callback',
    });
    const page = await visitor.visit(request.url);
    expect(textOf(page.text)).toContain('by this Tessera instance');
    expect(textOf(page.text)).toContain('Act for you in all your teams');
    expect(page.text).not.toContain('not verified');
    const silent = new URL(request.url);
    silent.searchParams.set('prompt', 'none');
    const answer = await visitor.visit(silent, (url) => url.port === '2000');
    expect(answer.location().searchParams.get('error')).toBe('consent_required');
  });

  test('stands for the person: what their role allows, and nothing that asks for a fresh login', async () => {
    const { access_token: token } = await logInHere();
    const call = createClient({ baseUrl: place.tessera.urls.api, token });
    await expect(call('teams.list')).resolves.toMatchObject({ teams: [{ slug: 'acme' }] });
    const query = { teamId: place.world.team.slug };
    const project = await call('projects.create', { query, body: { name: `cli-${Date.now()}` } });
    const minted = await send(
      `${place.tessera.urls.api}/v1/projects/${project.id}/token?source=cli&teamId=acme`,
      { method: 'POST', headers: { authorization: `Bearer ${token}` } },
    );
    expect(minted.status).toBe(200);
    expect(decodeJwt((minted.json() as { token: string }).token)).toMatchObject({
      environment: 'development',
      project_id: project.id,
    });
    const refusedFor = await send(`${place.tessera.urls.api}/v2/teams/${place.world.team.id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Other' }),
    });
    expect([refusedFor.status, (refusedFor.json() as { code: string }).code]).toEqual([
      403,
      'fresh_authentication_required',
    ]);
  });

  test('reaches no further than the person', async () => {
    const { call, team } = place.world;
    const { invitation } = await call('members.add', {
      params: { id: team.id },
      body: { email: 'vera@acme.example', role: 'viewer' },
    });
    const vera = await setUpPerson(invitation?.url ?? '', {
      email: 'vera@acme.example',
      name: 'Vera',
      password: 'another long passphrase, 6 words',
    });
    const project = await call('projects.create', { query: { teamId: team.id }, body: { name: 'hers-not' } });
    const { access_token: token } = await logInCommandLine(place.tessera.urls, vera);
    const headers = { authorization: `Bearer ${token}` };
    const minted = await send(`${place.tessera.urls.api}/v1/projects/${project.id}/token?teamId=acme`, {
      method: 'POST',
      headers,
    });
    expect(minted.status).toBe(403);
    const other = await send(`${place.tessera.urls.api}/v9/projects?teamId=globex`, { headers });
    expect(other.status).toBe(404);
  });

  test('is renewed without a secret, each refresh token once', async () => {
    const { refresh_token: first } = await logInHere();
    const renewed = await refresh(first);
    expect(renewed.status).toBe(200);
    const { access_token: token, token_type: type } = renewed.json() as {
      access_token: string;
      token_type: string;
    };
    expect(type).toBe('Bearer');
    const answer = await send(`${place.tessera.urls.api}/v2/user`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
  });

  test('is nobody’s app to change', async () => {
    const { call, team } = place.world;
    const address = { params: { id: commandLineClientId }, query: { teamId: team.id } };
    await expect(call('apps.get', address)).rejects.toMatchObject({ problem: { status: 404 } });
    await expect(
      call('apps.create', {
        query: { teamId: team.id },
        body: {
          name: 'tessera  cli',
          redirectUris: ['https://a.example/'],
          scopes: ['openid'],
          tokenEndpointAuthMethods: ['none'],
          signInAccess: 'anyone',
        },
      }),
    ).rejects.toMatchObject({ problem: { status: 409 } });
  });
});

describe('the id of the command line', () => {
  const running: RunningTessera[] = [];
  const startWith = async (clientId: string) => {
    const tessera = await startTessera('sqlite', { variables: { TESSERA_CLI_CLIENT_ID: clientId } });
    running.push(tessera);
    return tessera;
  };
  afterAll(() => Promise.all(running.map((each) => each.close())));

  let own: RunningTessera;
  beforeAll(async () => {
    own = await startWith('cl_ourOwnCommandLine000000000');
  });

  test('can be another, also after a restart', async () => {
    const { admin } = await createSignInWorld(own.urls, own.setUpLink);
    const clientId = 'cl_ourOwnCommandLine000000000';
    await expect(logInCommandLine(own.urls, admin, { clientId })).resolves.toBeDefined();
    await own.restart();
    await expect(logInCommandLine(own.urls, admin, { clientId })).resolves.toBeDefined();
    await expect(logInCommandLine(own.urls, admin)).rejects.toThrow('No app is registered');
  });

  test('can be off', async () => {
    const tessera = await startWith('off');
    const { admin } = await createSignInWorld(tessera.urls, tessera.setUpLink);
    await expect(logInCommandLine(tessera.urls, admin)).rejects.toThrow('No app is registered');
  });

  test('is refused when it is none', async () => {
    await expect(startWith('vercel-cli')).rejects.toThrow('TESSERA_CLI_CLIENT_ID');
  });
});
