import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

describe.each(databaseKinds)('the REST API as a protected resource (RFC 9728), on %s', (kind) => {
  let tessera: RunningTessera;
  beforeAll(async () => {
    tessera = await startTessera(kind);
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
});
