import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { send } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const running = [
  'javascript:alert(1)',
  'data:text/html,x',
  'blob:https://app.example/1',
  'vbscript:x',
  'file:///x',
];
const ambiguous = [
  'http://app.example/cb',
  'https://app.example/cb#fragment',
  'https://*.example/cb',
  'https://user@app.example/cb',
  'https://user:password@app.example/cb',
  'https://app.example/a/../cb',
  'https://app.example/%2e%2e/cb',
  'https://app.example\\@evil.example/cb',
  'https://app.example/cb\n',
  'https://app.example/c b',
  'https://аpp.example/cb',
  'https://app.example:99999/cb',
  'https://0x7f000001/cb',
  'https:///cb',
  '//app.example/cb',
  'https://APP.example/cb',
  'HTTPS://app.example/cb',
  'myapp:/cb',
  `https://app.example/${'a'.repeat(2_000)}`,
  ' https://app.example/cb',
];

describe('a URI that an app is registered with', () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera('sqlite', {
      variables: { TESSERA_DYNAMIC_REGISTRATION: 'on', TESSERA_TRUST_PROXY: '127.0.0.1' },
    });
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  }, 120_000);
  afterAll(() => tessera?.close());

  const update = (body: Record<string, unknown>) =>
    world.call('apps.update', {
      params: { id: world.app.clientId },
      query: { teamId: world.team.id },
      body,
    });

  test.each(['redirectUris', 'postLogoutRedirectUris'])(
    'is plain and safe, in %s (security-47, 48)',
    async (field) => {
      for (const uri of ambiguous) {
        await expect(update({ [field]: [uri] }), uri).rejects.toThrow(ProblemError);
      }
      for (const uri of ['https://app.example/cb?x=1', 'http://127.0.0.1/cb', 'com.example.app:/cb']) {
        await expect(update({ [field]: [uri] })).resolves.toMatchObject({ [field]: [uri] });
      }
    },
  );

  test('is none that runs or reads something, in any field over REST (security-49)', async () => {
    for (const uri of running) {
      for (const body of [
        { redirectUris: [uri] },
        { postLogoutRedirectUris: [uri] },
        { backchannelLogoutUri: uri },
        { jwksUri: uri },
      ]) {
        await expect(update(body), JSON.stringify(body)).rejects.toThrow(ProblemError);
      }
    }
  });

  test('is none that runs or reads something, in any field of a registration (security-49)', async () => {
    let address = 0;
    const register = (metadata: Record<string, unknown>) =>
      send(`${tessera.urls.api}/login/oauth/register`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-forwarded-for': `203.0.113.${(address += 1) % 250}`,
        },
        body: JSON.stringify({ redirect_uris: ['https://app.example/cb'], ...metadata }),
      });
    const single = ['logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'jwks_uri', 'backchannel_logout_uri'];
    for (const uri of running) {
      for (const name of [...single, 'sector_identifier_uri']) {
        expect((await register({ [name]: uri })).status, `${name}: ${uri}`).toBe(400);
      }
      for (const name of ['redirect_uris', 'post_logout_redirect_uris']) {
        expect((await register({ [name]: [uri] })).status, `${name}: ${uri}`).toBe(400);
      }
    }
    expect((await register({})).status).toBe(201);
  });
});
