import { SignJWT, UnsecuredJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { createApiToken, revokeApiToken } from '../harness/front-door.ts';
import {
  assertionFields,
  clientAssertionType,
  createKey,
  createKeyClient,
  type Changes,
  type KeyClient,
} from '../harness/key-client.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { basic, describeSignIn } from './on-both-databases.ts';

const errorOf = (answer: Answer) => answer.json() as { error: string; error_description: string };

describeSignIn('a client assertion', (place) => {
  let client: KeyClient;
  const at = () => ({ teamId: place.world.team.id, issuer: place.tessera.urls.origin });
  const tokenUrl = () => `${place.tessera.urls.api}/login/oauth/token`;
  const ask = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    sendForm(tokenUrl(), { grant_type: 'client_credentials', ...fields }, headers);
  const assert = async (changes: Changes = {}, of = client) => ask(await assertionFields(of, changes));
  const now = () => Math.floor(Date.now() / 1000);

  beforeAll(async () => {
    client = await createKeyClient(place.world.call, at());
  });
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  test('by its key proves a client, at every endpoint, with and without client_id beside it', async () => {
    expect((await assert()).status).toBe(200);
    const beside = await ask({ ...(await assertionFields(client)), client_id: client.clientId });
    expect(beside.status).toBe(200);
    const { access_token: token } = beside.json() as { access_token: string };
    const api = `${place.tessera.urls.api}/login/oauth/token`;
    const introspected = await sendForm(`${api}/introspect`, { ...(await assertionFields(client)), token });
    expect(introspected.json()).toMatchObject({ active: true, client_id: client.clientId });
    expect((await sendForm(`${api}/revoke`, { ...(await assertionFields(client)), token })).status).toBe(200);
    // Eight seconds ahead is a clock, a minute is not (FAPI 2.0, 5.3.2.1).
    expect((await assert({ claims: { nbf: now() + 8, iat: now() + 8 } })).status).toBe(200);
    expect((await assert({ header: { typ: 'client-authentication+jwt' } })).status).toBe(200);
    expect((await assert({ claims: { iat: undefined, exp: now() + 299 } })).status).toBe(200);
  });

  test('is refused with whatever is wrong about it (security-42)', async () => {
    const { issuer, clientId } = client;
    const wrong: Record<string, Changes> = {
      'another issuer': { claims: { iss: 'somebody' } },
      'no iss': { claims: { iss: undefined } },
      'iss of another type': { claims: { iss: 7 } },
      'sub of another type': { claims: { sub: [client.clientId] } },
      'sub with a NUL': { claims: { sub: 'cl_\0' } },
      'no sub': { claims: { sub: undefined } },
      'another sub': { claims: { sub: place.world.app.clientId } },
      'no aud': { claims: { aud: undefined } },
      'an audience elsewhere': { claims: { aud: 'https://elsewhere.example' } },
      'a list of audiences': { claims: { aud: [issuer] } },
      'the token endpoint as audience': { claims: { aud: tokenUrl() } },
      'the audience with a slash': { claims: { aud: `${issuer}/` } },
      'no exp': { claims: { exp: undefined } },
      'exp five minutes past': { claims: { exp: now() - 300 } },
      'exp too far': { claims: { exp: now() + 330 } },
      'exp as text': { claims: { exp: String(now() + 60) } },
      'nbf a minute away': { claims: { nbf: now() + 61 } },
      'iat a minute away': { claims: { iat: now() + 61 } },
      'no jti': { claims: { jti: undefined } },
      'an empty jti': { claims: { jti: '' } },
      'jti as a number': { claims: { jti: 7 } },
      'a jti too long': { claims: { jti: 'x'.repeat(513) } },
      'typ of another kind': { header: { typ: 'dpop+jwt' } },
      'another key': { key: await createKey() },
      'a key id of another type': { header: { kid: 7 } },
      'a key id that is not there': { header: { kid: 'nobody' } },
    };
    for (const [what, changes] of Object.entries(wrong)) {
      const answer = await assert(changes);
      expect(answer.status, what).toBe(401);
      expect(errorOf(answer).error, what).toBe('invalid_client');
    }
    const unsigned = new UnsecuredJWT({
      iss: clientId,
      sub: clientId,
      aud: issuer,
      jti: 'a',
      exp: now() + 60,
    });
    const secret = new TextEncoder().encode(JSON.stringify(client.key.publicJwk));
    const confused = new SignJWT({ iss: clientId, sub: clientId, aud: issuer, jti: 'b', exp: now() + 60 });
    for (const token of [
      unsigned.encode(),
      await confused.setProtectedHeader({ alg: 'HS256' }).sign(secret),
      'a.b.c',
      'token',
      `${'x'.repeat(20_000)}.a.b`,
    ]) {
      const answer = await ask({ client_assertion_type: clientAssertionType, client_assertion: token });
      expect([answer.status, errorOf(answer).error]).toEqual([401, 'invalid_client']);
    }
    const fields = await assertionFields(client);
    const named = await ask({ ...fields, client_id: place.world.app.clientId });
    expect(errorOf(named).error).toBe('invalid_client');
    const typed = await ask({ ...fields, client_assertion_type: 'urn:other' });
    expect(errorOf(typed).error).toBe('invalid_client');
    const alone = await ask({ client_assertion_type: clientAssertionType, client_id: clientId });
    expect(errorOf(alone).error).toBe('invalid_client');
    // None of these used it up.
    expect((await ask(fields)).status).toBe(200);
  });

  test('counts once, of a hundred at once, and says so to the others (security-42, incident I8)', async () => {
    const fields = await assertionFields(client);
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(fields)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect([answer.status, errorOf(answer).error]).toEqual([401, 'invalid_client']);
      expect(errorOf(answer).error_description).toMatch(/used before/);
    }
    // Its jti is this client's own.
    const other = await createKeyClient(place.world.call, at());
    const claims = { jti: 'the same' };
    expect((await assert({ claims })).status).toBe(200);
    expect((await assert({ claims }, other)).status).toBe(200);
    expect((await assert({ claims })).status).toBe(401);
  });

  test('never stands beside another method, and is no way round the registered one (security-43, 44)', async () => {
    const { app } = place.world;
    const fields = await assertionFields(client);
    const both = await ask({ ...fields, client_id: client.clientId, client_secret: 'x' });
    expect(errorOf(both).error).toBe('invalid_request');
    const header = await ask(fields, basic({ clientId: client.clientId, clientSecret: 'x' }));
    expect(errorOf(header).error).toBe('invalid_request');
    const asOther = await assert({}, { ...client, clientId: app.clientId });
    expect(errorOf(asOther).error).toBe('invalid_client');
    const byName = await ask({ client_id: client.clientId });
    expect(errorOf(byName).error).toBe('invalid_client');
  });

  test('may be for the token endpoint where the app says so: the switch of old libraries', async () => {
    const { issuer } = client;
    const old = await createKeyClient(place.world.call, at(), { strictAssertionAudience: false });
    for (const aud of [issuer, tokenUrl(), [issuer], [tokenUrl(), issuer]]) {
      expect((await assert({ claims: { aud } }, old)).status, String(aud)).toBe(200);
    }
    for (const aud of [undefined, [], 'https://elsewhere.example', `${tokenUrl()}/`]) {
      expect((await assert({ claims: { aud } }, old)).status, String(aud)).toBe(401);
    }
  });

  test('is signed with the one algorithm that is registered (security-42)', async () => {
    const keys = [
      await createKey('ES256'),
      await createKey('PS256'),
      await createKey('RS256'),
      await createKey('EdDSA'),
    ];
    const jwks = { keys: keys.map(({ publicJwk, alg }) => ({ ...publicJwk, alg })) };
    const any = await createKeyClient(place.world.call, at(), { jwks });
    for (const key of keys) expect((await assert({ key }, any)).status, key.alg).toBe(200);
    const one = await createKeyClient(place.world.call, at(), { jwks, tokenEndpointAuthSigningAlg: 'PS256' });
    for (const key of keys) {
      expect((await assert({ key }, one)).status, key.alg).toBe(key.alg === 'PS256' ? 200 : 401);
    }
    // A set without key ids, whose keys are all of one kind: each is tried.
    const alike = [await createKey(), await createKey()];
    const several = await createKeyClient(place.world.call, at(), {
      jwks: { keys: alike.map(({ publicJwk }) => publicJwk) },
    });
    for (const key of alike) expect((await assert({ key }, several)).status).toBe(200);
    expect((await assert({ key: await createKey() }, several)).status).toBe(401);
  });

  test('is verified with the keys that are published at jwks_uri, also with a new one (security-52)', async () => {
    let keys = [await createKey()];
    const published = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          keys: keys.map(({ publicJwk }, index) => ({ ...publicJwk, kid: `${publicJwk.x ?? index}` })),
        }),
      );
    });
    await new Promise<void>((resolve) => published.listen(0, '127.0.0.1', resolve));
    closing.push(() => published.close());
    const { port } = published.address() as AddressInfo;
    const remote = await createKeyClient(place.world.call, at(), {
      jwks: null,
      jwksUri: `http://127.0.0.1:${port}/keys`,
    });
    const sign = (key: (typeof keys)[number]) => assert({ key, header: { kid: key.publicJwk.x } }, remote);
    const [first] = keys as [(typeof keys)[number]];
    expect((await sign(first)).status).toBe(200);
    const renewed = await createKey();
    keys = [renewed];
    place.tessera.advance(60_000);
    const ahead = 60_000;
    const later = await assert({ key: renewed, header: { kid: renewed.publicJwk.x }, ahead }, remote);
    expect(later.status).toBe(200);
  });
});

describeSignIn('a client assertion by the secret', (place) => {
  test('takes a secret made for it, and no other', async () => {
    const { call, team } = place.world;
    const issuer = place.tessera.urls.origin;
    const query = { teamId: team.id };
    const { id } = await call('apps.create', {
      query,
      body: {
        name: 'By secret',
        redirectUris: ['http://localhost:9/callback'],
        scopes: ['openid'],
        tokenEndpointAuthMethods: ['client_secret_basic'],
        signInAccess: 'anyone',
      },
    });
    const before = await call('app-secrets.create', { params: { id }, query });
    await call('apps.update', {
      params: { id },
      query,
      body: { tokenEndpointAuthMethods: ['client_secret_basic', 'client_secret_jwt'] },
    });
    const ask = async (secret: string, claims: Record<string, unknown> = {}, alg = 'HS256') => {
      const token = await new SignJWT({ iss: id, sub: id, aud: issuer, jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg })
        .setExpirationTime('1m')
        .sign(new TextEncoder().encode(secret));
      return sendForm(`${place.tessera.urls.api}/login/oauth/token`, {
        grant_type: 'client_credentials',
        client_assertion_type: clientAssertionType,
        client_assertion: token,
      });
    };
    // Of the one from before only the hash is known.
    expect(errorOf(await ask(before.clientSecret)).error_description).toMatch(/client_secret_jwt/);
    const made = await call('app-secrets.create', { params: { id }, query });
    expect((await ask(made.clientSecret)).status).toBe(200);
    expect((await ask(made.clientSecret, { aud: [issuer] })).status).toBe(401);
    expect((await ask(made.clientSecret, {}, 'HS512')).status).toBe(401);
    expect((await ask('another secret of thirty-two bytes')).status).toBe(401);
    expect((await ask(before.clientSecret)).status).toBe(401);
    const token = { jti: 'once' };
    expect((await ask(made.clientSecret, token)).status).toBe(200);
    expect((await ask(made.clientSecret, token)).status).toBe(401);
    await call('app-secrets.delete', { params: { id }, query: { ...query, secretId: made.id } });
    expect((await ask(made.clientSecret)).status).toBe(401);
  });
});

describeSignIn('a workload token as client assertion', (place) => {
  test('proves the app of a linked project and environment, and nobody else', async () => {
    const { call, team, admin } = place.world;
    const { origin, api } = place.tessera.urls;
    const query = { teamId: team.id };
    const project = await call('projects.create', { query, body: { name: 'shop' } });
    const other = await call('projects.create', { query, body: { name: 'other' } });
    const environments = ['production', 'preview'];
    const createBuilder = (name: string) =>
      createApiToken(origin, admin, {
        name,
        teamSlug: team.slug,
        builds: [project, other].flatMap(({ id }) =>
          environments.map((environment) => ({ projectId: id, environment })),
        ),
      });
    const builder = await createBuilder('builder');
    const { id } = await call('apps.create', {
      query,
      body: {
        name: 'Deployed',
        redirectUris: ['http://localhost:9/callback'],
        scopes: ['openid'],
        tokenEndpointAuthMethods: ['workload_token'],
        linkedProjects: [{ projectId: project.id, environments: ['production'] }],
        signInAccess: 'anyone',
      },
    });
    const mint = async (of: { id: string }, environment: string, audience?: string, by = builder) => {
      const answer = await send(`${api}/v1/projects/${of.id}/token?teamId=${team.id}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
        body: JSON.stringify({ environment, audience }),
      });
      return (answer.json() as { token: string }).token;
    };
    const ask = (token: string, more: Record<string, string> = { client_id: id }) =>
      sendForm(`${api}/login/oauth/token`, {
        grant_type: 'client_credentials',
        client_assertion_type: clientAssertionType,
        client_assertion: token,
        ...more,
      });
    const token = await mint(project, 'production', origin);
    expect(errorOf(await ask(token, {})).error_description).toMatch(/client_id/);
    expect((await ask(token)).status).toBe(200);
    expect(errorOf(await ask(token)).error_description).toMatch(/used before/);
    const wrong = {
      'the default audience': await mint(project, 'production'),
      'another environment': await mint(project, 'preview', origin),
      'another project': await mint(other, 'production', origin),
    };
    for (const [what, refused] of Object.entries(wrong)) {
      expect(errorOf(await ask(refused)).error, what).toBe('invalid_client');
    }
    const elsewhere = await ask(await mint(project, 'production', origin), {
      client_id: place.world.app.clientId,
    });
    expect(errorOf(elsewhere).error).toBe('invalid_client');
    // A token outlives nothing that it rests on (federation-20).
    const gone = 'What it rests on is gone';
    const config = (oidcTokenConfig: object) =>
      call('projects.update', { params: { idOrName: project.id }, query, body: { oidcTokenConfig } });
    const switchedOff = await mint(project, 'production', origin);
    await config({ enabled: false });
    expect(errorOf(await ask(switchedOff)).error_description).toContain(gone);
    await config({ enabled: true });
    expect((await ask(switchedOff)).status).toBe(200);
    const revoked = await mint(project, 'production', origin, await createBuilder('revoked'));
    await revokeApiToken(origin, admin, 'revoked');
    expect(errorOf(await ask(revoked)).error_description).toContain(gone);
    const late = await mint(project, 'production', origin);
    place.tessera.advance(301_000);
    expect(errorOf(await ask(late)).error).toBe('invalid_client');
    const orphan = await mint(project, 'production', origin);
    await call('projects.delete', { params: { idOrName: project.id }, query });
    expect(errorOf(await ask(orphan)).error).toBe('invalid_client');
  });
});

describeSignIn('failed authentications', (place) => {
  test('are limited per client and network, and never lock out who has the right secret (security-45)', async () => {
    const url = `${place.tessera.urls.api}/login/oauth/token`;
    const { app } = place.world;
    const guess = (clientSecret: string) =>
      sendForm(url, { grant_type: 'client_credentials' }, basic({ ...app, clientSecret }));
    const guesses = await Promise.all(Array.from({ length: 120 }, (_, index) => guess(`guess ${index}`)));
    expect(guesses.filter(({ status }) => status === 401)).toHaveLength(100);
    const limited = guesses.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(20);
    expect(limited[0]?.headers['retry-after']).toBe('60');
    expect((await guess(app.clientSecret)).status).toBe(200);
    place.tessera.advance(61_000);
    expect((await guess('another')).status).toBe(401);
  });
});
