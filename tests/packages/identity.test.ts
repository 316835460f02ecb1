import { getIdentity, verifyIdentity, type VerifyIdentityOptions } from '@tessera/passport';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  passportClaims,
  startSigningIssuer,
  workloadClaims,
  type BentClaims,
  type SigningIssuer,
} from './signing-issuer.ts';

const header = 'x-vercel-oidc-passport-token';

let issuer: SigningIssuer;
beforeAll(async () => {
  issuer = await startSigningIssuer();
});
afterAll(() => issuer?.close());
afterEach(() => vi.unstubAllEnvs());

const options = (more: Partial<VerifyIdentityOptions> = {}): VerifyIdentityOptions => ({
  issuer: `${issuer.url}/acme`,
  audience: 'https://tessera.example/acme/site/production',
  ...more,
});
const sign = (more: BentClaims = {}) => issuer.sign(passportClaims(issuer.url, more));
const refused = (code: string) => ({ name: 'PassportError', code });

describe('the visitor', () => {
  test('is read from whatever has the headers of the request', async () => {
    const token = await sign();
    const sources = [
      { [header]: token },
      { [header.toUpperCase()]: token },
      new Headers({ [header]: token }),
      { headers: { [header]: token } },
      new Request('https://site.example/', { headers: { [header]: token } }),
    ];
    for (const source of sources) {
      await expect(getIdentity(source, options())).resolves.toMatchObject({
        externalSub: 'staff|grace',
        externalIss: 'https://idp.example',
        connectorId: 'scl_1',
        owner: 'acme',
        ownerId: 'team_acme',
        project: 'site',
        projectId: 'prj_site',
        environment: 'production',
        sid: 'ses_1',
        email: 'grace@corp.example',
        emailVerified: true,
        name: 'Grace Hopper',
        isTest: false,
        claims: { groups: ['staff'] },
      });
    }
    await expect(verifyIdentity(token, options())).resolves.toMatchObject({ externalSub: 'staff|grace' });
    await expect(verifyIdentity({ [header]: token }, options())).resolves.toBeDefined();
  });

  test('is nobody when the header is not there or empty', async () => {
    await expect(getIdentity({}, options())).resolves.toBeNull();
    await expect(getIdentity({ [header]: '' }, options())).resolves.toBeNull();
    await expect(verifyIdentity({}, options())).rejects.toMatchObject(refused('no_token'));
    await expect(verifyIdentity('', options())).rejects.toMatchObject(refused('no_token'));
  });

  test('is found by the request that is being answered, and by variables', async () => {
    const token = await sign();
    const place = globalThis as { [key: symbol]: unknown };
    const symbol = Symbol.for('@vercel/request-context');
    place[symbol] = { get: () => ({ headers: { [header]: token } }) };
    try {
      vi.stubEnv('PASSPORT_ISSUER', `${issuer.url}/acme`);
      vi.stubEnv('PASSPORT_AUDIENCE', 'https://tessera.example/acme/site/production');
      await expect(getIdentity()).resolves.toMatchObject({ externalSub: 'staff|grace' });
      vi.stubEnv('PASSPORT_AUDIENCE', 'https://tessera.example/acme/site/preview');
      await expect(getIdentity()).rejects.toMatchObject(refused('audience'));
      vi.stubEnv('PASSPORT_AUDIENCE', '');
      await expect(getIdentity()).rejects.toMatchObject(refused('option'));
    } finally {
      delete place[symbol];
    }
  });

  test('by project and environment instead of the audience', async () => {
    const bound = { audience: undefined, project: 'site', environment: 'production' };
    await verifyIdentity(await sign(), options(bound));
    await verifyIdentity(await sign(), options({ ...bound, project: ['prj_site'] }));
    await expect(verifyIdentity(await sign(), options({ ...bound, project: 'shop' }))).rejects.toMatchObject(
      refused('project'),
    );
    await expect(
      verifyIdentity(await sign(), options({ ...bound, environment: 'preview' })),
    ).rejects.toMatchObject(refused('environment'));
  });

  test('with another wire prefix', async () => {
    const token = await sign();
    const named = { 'x-acme-oidc-passport-token': token };
    await expect(getIdentity(named, options({ wirePrefix: 'acme' }))).resolves.toBeDefined();
    await expect(getIdentity(named, options())).resolves.toBeNull();
    await expect(getIdentity({}, options({ wirePrefix: 'A B' }))).rejects.toMatchObject(refused('option'));
  });
});

describe("a visitor's token is refused", () => {
  const now = () => Math.floor(Date.now() / 1000);
  test.each<[string, () => BentClaims]>([
    ['issuer', () => ({ iss: `${issuer.url}/globex` })],
    ['issuer', () => ({ iss: `${issuer.url}/acme/` })],
    ['issuer', () => ({ owner: 'globex' })],
    ['audience', () => ({ aud: 'https://tessera.example/acme/other/production' })],
    ['audience', () => ({ aud: ['https://tessera.example/acme/site/production'] })],
    ['type', () => ({ typ: 'workload' })],
    ['type', () => ({ typ: undefined })],
    ['expired', () => ({ exp: now() - 1 })],
    ['not_yet_valid', () => ({ nbf: now() + 60 })],
    ['claim', () => ({ exp: undefined })],
    ['claim', () => ({ external_sub: '' })],
    ['claim', () => ({ connector_id: 7 })],
    ['claim', () => ({ project_id: undefined })],
  ])('for its %s', async (code, more) => {
    await expect(verifyIdentity(await sign(more()), options())).rejects.toMatchObject(refused(code));
    await expect(getIdentity({ [header]: await sign(more()) }, options())).rejects.toMatchObject(
      refused(code),
    );
  });

  test('when it is a workload token, though the same keys signed it', async () => {
    const audience = 'https://tessera.example/acme/site/production';
    const workload = await issuer.sign(workloadClaims(issuer.url, { aud: audience }));
    await expect(verifyIdentity(workload, options())).rejects.toMatchObject(refused('type'));
  });

  test("when it is the session cookie's token", async () => {
    const session = await issuer.sign(passportClaims(issuer.url, { host: 'site.example' }), {
      typ: 'passport-session+jwt',
    });
    await expect(verifyIdentity(session, options())).rejects.toMatchObject(refused('type'));
    const cookies = { cookie: `_vercel_passport=${await sign()}` };
    await expect(getIdentity(cookies, options())).resolves.toBeNull();
  });

  test('with another algorithm, another key, or changed', async () => {
    const none = new UnsecuredJWT(passportClaims(issuer.url)).encode();
    await expect(verifyIdentity(none, options())).rejects.toMatchObject(refused('algorithm'));
    const confused = await new SignJWT(passportClaims(issuer.url))
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: String(issuer.jwk['kid']) })
      .sign(new TextEncoder().encode(JSON.stringify(issuer.jwk)));
    await expect(verifyIdentity(confused, options())).rejects.toMatchObject(refused('algorithm'));
    const other = await startSigningIssuer();
    const foreign = await other.sign(passportClaims(issuer.url), { kid: String(issuer.jwk['kid']) });
    await expect(verifyIdentity(foreign, options())).rejects.toMatchObject(refused('signature'));
    await other.close();
    for (const text of ['a', 'a.b.c', 'x'.repeat(60_000)]) {
      await expect(getIdentity({ [header]: text }, options())).rejects.toMatchObject(refused('malformed'));
    }
  });

  test('when the header came more than once', async () => {
    const token = await sign();
    for (const source of [
      { [header]: [token, token] },
      { [header]: token, [header.toUpperCase()]: token },
      { [header]: `${token}, ${token}` },
    ]) {
      await expect(getIdentity(source, options())).rejects.toMatchObject(refused('malformed'));
    }
  });

  test('when the options say too little or too much', async () => {
    const token = await sign();
    for (const more of [
      { issuer: undefined },
      { issuer: '' },
      { issuer: issuer.url },
      { issuer: 'http://passport.example/acme' },
      { issuer: 'https://passport.example/acme/' },
      { audience: undefined },
      { audience: '*' },
      { audience: [] },
      { audience: undefined, project: 'site' },
      { audience: undefined, environment: 'production' },
      { audience: undefined, project: '*', environment: 'production' },
      { clockToleranceSeconds: 61 },
    ]) {
      const wrong = options(more as never);
      await expect(verifyIdentity(token, wrong)).rejects.toMatchObject(refused('option'));
      await expect(getIdentity({}, wrong)).rejects.toMatchObject(refused('option'));
    }
  });
});

describe('a test identity', () => {
  const testIdentity = { externalSub: 'test|user', name: 'Test', claims: { groups: ['staff'] } };

  test('comes only when it is asked for, and only for a request without a token', async () => {
    vi.stubEnv('NODE_ENV', 'development');
    await expect(getIdentity({}, options())).resolves.toBeNull();
    const asked = options() as object;
    await expect(getIdentity({}, { testIdentity })).resolves.toMatchObject({
      externalSub: 'test|user',
      sub: 'owner:test:connector:test:principal:test%7Cuser',
      isTest: true,
      owner: 'test',
      claims: { groups: ['staff'] },
    });
    await expect(getIdentity({ [header]: '' }, { ...asked, testIdentity })).resolves.toBeNull();
    await expect(getIdentity({ [header]: await sign() }, { ...asked, testIdentity })).resolves.toMatchObject({
      isTest: false,
      externalSub: 'staff|grace',
    });
    await expect(
      getIdentity({ [header]: await sign({ exp: 1 }) }, { ...asked, testIdentity }),
    ).rejects.toMatchObject(refused('expired'));
  });

  test('cannot be made to look like one of a real team', async () => {
    const claims = { owner: 'acme', owner_id: 'team_acme', sub: 'x', project_id: 'prj_site', typ: 'other' };
    await expect(getIdentity({}, { testIdentity: { externalSub: 'a', claims } })).resolves.toMatchObject({
      owner: 'test',
      ownerId: 'test',
      projectId: 'test',
      sub: 'owner:test:connector:test:principal:a',
    });
  });

  test.each([
    ['NODE_ENV', 'production'],
    ['VERCEL_ENV', 'production'],
    ['VERCEL_ENV', 'preview'],
    ['VERCEL_TARGET_ENV', 'staging'],
  ])('is refused where %s is %s', async (name, value) => {
    vi.stubEnv(name, value);
    await expect(getIdentity({}, { testIdentity })).rejects.toMatchObject(refused('test_identity_refused'));
    // Loudly, with a real visitor too: so that it is noticed before the first request without one.
    await expect(
      getIdentity({ [header]: await sign() }, { ...options(), testIdentity }),
    ).rejects.toMatchObject(refused('test_identity_refused'));
  });

  test('is refused where nothing says whether it is production', async () => {
    vi.stubGlobal('process', undefined);
    try {
      await expect(getIdentity({}, { testIdentity })).rejects.toMatchObject(refused('test_identity_refused'));
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
