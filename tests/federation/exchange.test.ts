import * as jose from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send, sendForm } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

type Exchanged = { token: string; expiry: number };

const aws = 'sts.amazonaws.com';
const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

describe.each(databaseKinds)('exchange of workload tokens on %s', (kind) => {
  let world: FederationWorld;
  let token: string;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
    await world.configure({ audiences: [aws, 'https://vault.example.net'] });
    token = await world.mintToken(world.builderToken, {
      environment: 'production',
      git: { provider: 'github', repository: 'acme/shop', ref: 'main', sha: 'abcdef0', fork: false },
      trigger: 'push',
    });
  });
  afterAll(() => world?.tessera.close());

  const grant = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    sendForm(
      `${world.tessera.urls.api}/login/oauth/token`,
      { grant_type: grantType, subject_token: token, subject_token_type: jwtType, audience: aws, ...fields },
      headers,
    );

  async function verify(exchanged: string) {
    const { oidc } = world.tessera.urls;
    const keySet = jose.createRemoteJWKSet(new URL(`${oidc}/acme/.well-known/jwks`));
    // The instance's clock may be ahead of ours.
    const currentDate = new Date((jose.decodeJwt(exchanged).iat ?? 0) * 1000);
    return jose.jwtVerify(exchanged, keySet, {
      issuer: `${oidc}/acme`,
      audience: aws,
      typ: 'JWT',
      currentDate,
    });
  }

  test('gives the same claims for another audience, until the same second, and says what it was', async () => {
    const answer = await world.exchange({ token, aud: aws });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    const { token: exchanged, expiry, ...more } = answer.json() as Exchanged;
    expect(more).toEqual({});
    const original = jose.decodeJwt(token);
    const { payload } = await verify(exchanged);
    expect(payload).toEqual({
      ...original,
      aud: aws,
      iat: payload.iat,
      nbf: payload.nbf,
      jti: expect.stringMatching(/^jti_/),
      act: { sub: original.sub, aud: original.aud, iat: original.iat, jti: original.jti },
    });
    expect(payload).toMatchObject({ git_ref: 'main', trigger: 'push', git_fork: false });
    expect(payload.jti).not.toBe(original.jti);
    expect(expiry).toBe(original.exp);
    expect(payload.exp).toBe(original.exp);
    expect(payload.nbf).toBeGreaterThanOrEqual(original.nbf ?? 0);
  });

  test('a token that was exchanged later ends when the first one does (security-99)', async () => {
    const early = await world.mintToken(world.builderToken, { environment: 'production' });
    world.tessera.advance(50 * 60_000);
    const { exp } = jose.decodeJwt(await world.exchangeToken(early, aws));
    expect(exp).toBe(jose.decodeJwt(early).exp);
    world.tessera.advance(10 * 60_000 + 1_000);
    expect((await world.exchange({ token: early, aud: aws })).status).toBe(400);
    token = await world.mintToken(world.builderToken, { environment: 'production' });
  });

  test('is an audit record with both names, and never the token', async () => {
    const answer = await world.exchange({ token, aud: aws });
    const { token: exchanged } = answer.json() as Exchanged;
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    expect(records.find(({ object }) => object === jose.decodeJwt(exchanged).jti)).toMatchObject({
      action: 'workload-token.exchange',
      actor: world.project.id,
      reference: expect.stringMatching(/^re[fq]_/),
      after: { exchangeOf: jose.decodeJwt(token).jti, audience: aws, environment: 'production' },
    });
    for (const secret of [token, exchanged]) {
      expect(JSON.stringify(records)).not.toContain(secret.split('.')[2]);
    }
  });

  test('the issuer stays the one for all where the project chose it', async () => {
    await world.configure({ issuerMode: 'global' });
    const general = await world.mintToken(world.builderToken, { environment: 'production' });
    await world.configure({ issuerMode: 'team' });
    expect(jose.decodeJwt(general).iss).toBe(world.tessera.urls.oidc);
    expect(jose.decodeJwt(await world.exchangeToken(general, aws)).iss).toBe(world.tessera.urls.oidc);
  });

  test('an audience that nobody listed is refused, with the way to list it (federation-07)', async () => {
    for (const aud of ['https://elsewhere.example', `${aws}.evil.example`, 'STS.amazonaws.com', `${aws} `]) {
      const answer = await world.exchange({ token, aud });
      expect(answer.status).toBe(400);
      const { error, code, reference } = answer.json() as Record<string, string>;
      expect(error).toMatch(/^invalid_target: .*not on the list.*PATCH \/v9\/projects\/shop/);
      expect([code, reference]).toEqual(['invalid_target', expect.stringMatching(/^re[fq]_/)]);
      const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
      expect(records.find((record) => record.reference === reference)).toMatchObject({
        action: 'workload-token.refuse',
        object: world.project.id,
        after: { audience: aud, why: expect.stringContaining('not on the list') },
      });
    }
  });

  test('never for an address of ours, however it is spelt (federation-07)', async () => {
    const { origin, api, oidc } = world.tessera.urls;
    const host = new URL(origin).host;
    for (const aud of [
      origin,
      `${origin}/acme`,
      `${origin}/other`,
      api,
      `${oidc}/acme`,
      `HTTP://${host}/api`,
    ]) {
      const answer = await world.exchange({ token, aud });
      expect([aud, answer.status]).toEqual([aud, 400]);
      expect((answer.json() as { error: string }).error).toMatch(
        /^invalid_target: .* is an address of this service itself/,
      );
    }
  });

  test('an exchanged token is exchanged no further, nor one minted for another audience (federation-07)', async () => {
    const exchanged = await world.exchangeToken(token, aws);
    const direct = await world.mintToken(world.builderToken, { environment: 'production', audience: aws });
    for (const subject of [exchanged, direct]) {
      for (const aud of ['https://vault.example.net', aws]) {
        const answer = await world.exchange({ token: subject, aud });
        expect([answer.status, (answer.json() as { code: string }).code]).toEqual([400, 'invalid_target']);
        const general = await grant({ subject_token: subject, audience: aud });
        expect([general.status, (general.json() as { error: string }).error]).toEqual([
          400,
          'invalid_target',
        ]);
      }
    }
  });

  test('a chosen jti counts once in a project, whoever is first', async () => {
    const jti = 'order-4711';
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => world.exchange({ token, aud: aws, jti })),
    );
    expect(tries.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(tries.filter(({ status }) => status === 400)).toHaveLength(7);
    const first = tries.find(({ status }) => status === 200)?.json() as Exchanged;
    expect(jose.decodeJwt(first.token).jti).toBe(jti);
    for (const refused of tries.filter(({ status }) => status !== 200)) {
      expect((refused.json() as { error: string }).error).toMatch(/'jti' is that of another token/);
    }
    // Ours cannot be chosen, so that no record can be taken for another's.
    for (const bad of [String(jose.decodeJwt(token).jti), 'jti_x', 'two words', '', 'x'.repeat(129)]) {
      expect((await world.exchange({ token, aud: aws, jti: bad })).status).toBe(400);
    }
  });

  test('as RFC 8693 at the token endpoint', async () => {
    for (const [fields, issued] of [
      [{}, jwtType],
      [{ requested_token_type: idTokenType, subject_token_type: idTokenType }, idTokenType],
      // As clients send it that know no other way.
      [{ client_id: world.app.clientId }, jwtType],
    ] as const) {
      const answer = await grant(fields);
      expect(answer.status).toBe(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      const { access_token: exchanged, expires_in, ...rest } = answer.json() as Record<string, string>;
      expect(rest).toEqual({ issued_token_type: issued, token_type: 'N_A' });
      const { payload } = await verify(exchanged ?? '');
      expect(payload.act).toMatchObject({ jti: jose.decodeJwt(token).jti });
      expect(Number(expires_in)).toBe((payload.exp ?? 0) - (payload.iat ?? 0));
    }
  });

  test.each([
    [{ subject_token: '' }, 'invalid_request'],
    [{ subject_token_type: '' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, 'invalid_request'],
    [{ audience: '' }, 'invalid_request'],
    [{ audience: 'https://elsewhere.example' }, 'invalid_target'],
    [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
    [{ scope: 'openid' }, 'invalid_scope'],
    [{ actor_token: 'x', actor_token_type: jwtType }, 'invalid_request'],
    [{ subject_token: 'vca_nothing' }, 'invalid_request'],
  ])('the grant refuses %j with %s', async (fields, error) => {
    const answer = await grant(fields);
    expect([answer.status, (answer.json() as { error: string }).error]).toEqual([400, error]);
  });

  test('the grant refuses a wrong proof of a client, and two audiences', async () => {
    expect((await grant({}, { authorization: 'Basic Y2xfeDp5' })).status).toBe(401);
    expect((await grant({ client_id: world.app.clientId, client_secret: 'wrong' })).status).toBe(401);
    const body = `grant_type=${encodeURIComponent(grantType)}&subject_token=${token}&subject_token_type=${encodeURIComponent(jwtType)}&audience=${aws}&audience=x`;
    const twice = await send(`${world.tessera.urls.api}/login/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    expect([twice.status, (twice.json() as { error: string }).error]).toEqual([400, 'invalid_request']);
  });

  test('every token that is not a workload’s own, as it was signed, is refused (federation-18)', async () => {
    const { oidc, origin } = world.tessera.urls;
    const claims = jose.decodeJwt(token);
    const header = jose.decodeProtectedHeader(token);
    const [head = '', body = '', signature = ''] = token.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { keys } = (await send(`${oidc}/.well-known/jwks`)).json() as { keys: jose.JWK[] };
    const published = keys.find(({ kid }) => kid === header.kid);
    const publicPem = await jose.exportSPKI(
      (await jose.importJWK(published!, 'RS256', { extractable: true })) as jose.CryptoKey,
    );
    const other = await jose.generateKeyPair('RS256');
    const hmac = (secret: string, kid = header.kid) =>
      new jose.SignJWT(claims)
        .setProtectedHeader({ ...header, alg: 'HS256', kid: kid ?? '' })
        .sign(new TextEncoder().encode(secret));
    const { id_token: idToken, access_token: accessToken } = await world.signIn();
    const forged = [
      '',
      'x',
      'a.b.c',
      `${head}.${body}.`,
      `${encode({ ...header, alg: 'none' })}.${body}.`,
      `${head}.${encode({ ...claims, environment: 'preview' })}.${signature}`,
      `${encode({ ...header, kid: 'other' })}.${body}.${signature}`,
      `${encode({ ...header, typ: 'at+jwt' })}.${body}.${signature}`,
      `${encode({ ...header, jku: 'https://evil.example/keys' })}.${body}.${signature}`,
      await hmac(publicPem),
      await hmac(JSON.stringify(published)),
      await new jose.SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: header.kid ?? '', typ: 'JWT' })
        .sign(other.privateKey),
      idToken,
      accessToken,
      world.builderToken,
      `${token}.x`,
      ` ${token}`,
      'x'.repeat(16_385),
    ];
    for (const subject of forged) {
      const answer = await world.exchange({ token: subject, aud: aws });
      expect([subject.slice(0, 40), answer.status]).toEqual([subject.slice(0, 40), 400]);
      expect((answer.json() as { error: string }).error).toEqual(expect.any(String));
      expect((await world.introspect(subject || 'x')).active === true && subject !== accessToken).toBe(false);
    }
    expect(origin).toMatch(/^http/);
  });

  test.each([
    ['[]', 400],
    ['{', 400],
    ['null', 400],
    ['{"token":"x"}', 400],
    ['{"token":7,"aud":"x"}', 400],
    ['{"token":"x","aud":["x"]}', 400],
    ['{"token":"x","aud":"x","more":1}', 400],
    ['{"token":"x","aud":"x","aud":"y"}', 400],
    ['{"token":"x","aud":"x\\u0000"}', 400],
    [`{"token":"x","aud":"${'y'.repeat(70_000)}"}`, 413],
  ])('a body that is wrong is an error that can be read: %.40s', async (body, status) => {
    const answer = await world.exchange(body);
    expect([answer.status, answer.json()]).toEqual([
      status,
      { error: expect.any(String), code: expect.any(String), reference: expect.stringMatching(/^re[fq]_/) },
    ]);
  });

  test('other types, methods and origins get nothing', async () => {
    const url = `${world.tessera.urls.oidc}/~token`;
    const body = JSON.stringify({ token, aud: aws });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      const answer = await world.exchange(body, { 'content-type': type });
      expect([answer.status, answer.json()]).toEqual([
        415,
        expect.objectContaining({ error: expect.any(String) }),
      ]);
    }
    for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS', 'DELETE']) {
      const answer = await send(url, { method, headers: { origin: 'https://evil.example' } });
      expect([method, answer.status, answer.headers['allow']]).toEqual([method, 405, 'POST']);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
    const foreign = await world.exchange({ token, aud: aws }, { origin: 'https://evil.example' });
    expect(foreign.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('one token is exchanged so many times a minute, and others go on', async () => {
    const busy = await world.mintToken(world.builderToken, { environment: 'preview' });
    const statuses = new Set<number>();
    for (let round = 0; round < 13; round++) {
      const answers = await Promise.all(
        Array.from({ length: 25 }, () => world.exchange({ token: busy, aud: 'https://not-listed.example' })),
      );
      for (const { status } of answers) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([400, 429]));
    const refused = await world.exchange({ token: busy, aud: aws });
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60']);
    expect((await world.exchange({ token, aud: aws })).status).toBe(200);
    world.tessera.advance(61_000);
    expect((await world.exchange({ token: busy, aud: aws })).status).toBe(200);
  });
});
