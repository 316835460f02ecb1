import { verifyOidcToken, type VerifyOidcTokenOptions } from '@tessera/oidc';
import type { ServerResponse } from 'node:http';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSigningIssuer, workloadClaims, type BentClaims, type SigningIssuer } from './signing-issuer.ts';

let issuer: SigningIssuer;
beforeAll(async () => {
  issuer = await startSigningIssuer();
});
afterAll(() => issuer?.close());
beforeEach(() => issuer.answers.clear());

const trusted = (more: Partial<VerifyOidcTokenOptions> = {}): VerifyOidcTokenOptions => ({
  issuer: `${issuer.url}/acme`,
  audience: 'https://tessera.example/acme',
  project: 'shop',
  environment: 'production',
  ...more,
});
const claims = (more: BentClaims = {}) => workloadClaims(issuer.url, more);
const verify = async (more: BentClaims = {}, options: Partial<VerifyOidcTokenOptions> = {}) =>
  verifyOidcToken(await issuer.sign(claims(more)), trusted(options));
const refused = (code: string) => ({ name: 'OidcVerificationError', code });

describe('a workload token is accepted', () => {
  test('of the very issuer, audience, project and environment', async () => {
    await expect(verify()).resolves.toMatchObject({ owner: 'acme', project: 'shop', runtime: 'function' });
  });

  test('of a project by its id, of one of several, for one of several audiences', async () => {
    await verify({}, { project: 'prj_shop' });
    await verify({}, { project: ['api', 'shop'], environment: ['preview', 'production'] });
    await verify({}, { audience: ['https://other.example', 'https://tessera.example/acme'] });
  });

  test('with ES256', async () => {
    const elliptic = await startSigningIssuer('ES256');
    const token = await elliptic.sign(workloadClaims(elliptic.url));
    await verifyOidcToken(token, trusted({ issuer: `${elliptic.url}/acme` }));
    await elliptic.close();
  });

  test('of the global issuer, where the project is named with its team or by id', async () => {
    const global = { iss: issuer.url };
    await verify(global, { issuer: issuer.url, project: 'acme/shop' });
    await verify(global, { issuer: issuer.url, project: 'prj_shop' });
    await expect(verify(global, { issuer: issuer.url })).rejects.toMatchObject(refused('team'));
  });
});

describe('a workload token is refused', () => {
  // A slug may have dots in it: a team can be called as the host of the issuer is.
  test('of a team that is called as the host of the global issuer', async () => {
    const global = { iss: issuer.url, owner: new URL(issuer.url).host };
    for (const owner of [global.owner, new URL(issuer.url).hostname, '']) {
      const attempt = verify({ ...global, owner }, { issuer: issuer.url });
      await expect(attempt).rejects.toMatchObject(refused(owner === '' ? 'claim' : 'team'));
    }
  });

  test.each<[string, BentClaims]>([
    ['issuer', { iss: 'https://evil.example/acme' }],
    ['audience', { aud: 'https://tessera.example/globex' }],
    ['audience', { aud: ['https://tessera.example/acme'] }],
    ['audience', { aud: undefined }],
    ['team', { owner: 'globex' }],
    ['project', { project: 'shop2', project_id: 'prj_shop2' }],
    ['environment', { environment: 'preview' }],
    ['environment', { environment: 'Production' }],
    ['expired', { exp: Math.floor(Date.now() / 1000) - 1 }],
    ['not_yet_valid', { nbf: Math.floor(Date.now() / 1000) + 60 }],
    ['claim', { exp: undefined }],
    ['claim', { iat: undefined }],
    ['claim', { sub: undefined }],
    ['claim', { owner_id: undefined }],
    ['claim', { project_id: ['prj_shop'] }],
  ])('for its %s: %j', async (code, more) => {
    await expect(verify(more)).rejects.toMatchObject(refused(code));
  });

  // Reference: an issuer that only begins like the right one was enough elsewhere (CVE-2026-14336).
  test('when its issuer only looks like the right one', async () => {
    const right = `${issuer.url}/acme`;
    const lookalikes = [
      `${right}/`,
      `${right}/.`,
      `${right}.evil.example`,
      `${right}@evil.example`,
      `${right}%2f`,
      `${right}#`,
      `${right}?`,
      ` ${right}`,
      `${right} `,
      right.toUpperCase(),
      right.replace('/acme', '/Acme'),
      right.replace('/acme', '//acme'),
      right.replace('http:', 'https:'),
      right.replace('localhost', '127.0.0.1'),
      right.replace('acme', 'аcme'),
      issuer.url,
    ];
    for (const iss of lookalikes) await expect(verify({ iss })).rejects.toMatchObject(refused('issuer'));
  });

  test('federation-18: with another algorithm: none, and HS256 with what is public', async () => {
    const none = new UnsecuredJWT(claims()).encode();
    await expect(verifyOidcToken(none, trusted())).rejects.toMatchObject(refused('algorithm'));
    const secret = new TextEncoder().encode(JSON.stringify(issuer.jwk));
    const confused = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: String(issuer.jwk['kid']) })
      .sign(secret);
    await expect(verifyOidcToken(confused, trusted())).rejects.toMatchObject(refused('algorithm'));
  });

  test('of another kind, by its header', async () => {
    for (const typ of ['passport-session+jwt', 'at+jwt', 'logout+jwt', 'jwt', '']) {
      const token = await issuer.sign(claims(), { typ });
      await expect(verifyOidcToken(token, trusted())).rejects.toMatchObject(refused('type'));
    }
  });

  test('signed by a key that the issuer does not publish, whatever key the token brings along', async () => {
    const other = await startSigningIssuer();
    const foreign = await other.sign(claims());
    await expect(verifyOidcToken(foreign, trusted())).rejects.toMatchObject(refused('key'));
    const renamed = await other.sign(claims(), { kid: String(issuer.jwk['kid']) });
    await expect(verifyOidcToken(renamed, trusted())).rejects.toMatchObject(refused('signature'));
    const brought = await other.sign(claims(), {
      jwk: other.jwk,
      jku: `${other.url}/acme/.well-known/jwks`,
    } as never);
    await expect(verifyOidcToken(brought, trusted())).rejects.toMatchObject(refused('key'));
    expect(other.asked.size).toBe(0);
    const nameless = await issuer.sign(claims(), { kid: undefined });
    await expect(verifyOidcToken(nameless, trusted())).rejects.toMatchObject(refused('key'));
    await other.close();
  });

  test('whose claims were changed, and whatever is no token', async () => {
    const [header, , signature] = (await issuer.sign(claims())).split('.');
    const changed = Buffer.from(JSON.stringify(claims({ environment: 'preview' }))).toString('base64url');
    await expect(
      verifyOidcToken(`${header}.${changed}.${signature}`, trusted({ environment: 'preview' })),
    ).rejects.toMatchObject(refused('signature'));
    for (const text of ['', 'a.b.c', '...', 'x'.repeat(30_000), undefined, null, 7, {}]) {
      await expect(verifyOidcToken(text as string, trusted())).rejects.toMatchObject(refused('malformed'));
    }
  });

  test('no message has the token in it, nor more than a line of what the token says', async () => {
    const token = await issuer.sign(claims({ environment: 'x'.repeat(5_000) }));
    const said = await verifyOidcToken(token, trusted()).then(String, String);
    expect(said).toContain('environment');
    expect(said.length).toBeLessThan(400);
    expect(said).not.toContain(token.split('.')[2]);
  });
});

describe('nothing widens by being left out', () => {
  test.each<Partial<Record<keyof VerifyOidcTokenOptions, unknown>>>([
    { issuer: undefined },
    { issuer: '' },
    { issuer: ['https://a.example/acme', 'https://b.example/acme'] },
    { issuer: 'http://oidc.example/acme' },
    { issuer: 'https://oidc.example/acme/' },
    { issuer: 'https://user@oidc.example/acme' },
    { issuer: 'https://oidc.example/acme?x=1' },
    { audience: undefined },
    { audience: [] },
    { audience: '*' },
    { project: undefined },
    { project: '' },
    { project: '*' },
    { project: [] },
    { environment: undefined },
    { environment: 'pro*' },
    { environment: [''] },
    { clockToleranceSeconds: 3_600 },
    { clockToleranceSeconds: Number.NaN },
  ])('options %j', async (more) => {
    await expect(verify({}, more as never)).rejects.toMatchObject(refused('option'));
  });

  test('no options at all', async () => {
    await expect(verifyOidcToken('a.b.c', undefined as never)).rejects.toMatchObject(refused('option'));
  });
});

describe('the key set', () => {
  test('is read at the path of the issuer, and of no other', async () => {
    const fresh = await startSigningIssuer();
    await verifyOidcToken(
      await fresh.sign(workloadClaims(fresh.url)),
      trusted({ issuer: `${fresh.url}/acme` }),
    );
    expect([...fresh.asked]).toEqual([['/acme/.well-known/jwks', 1]]);
    await fresh.close();
  });

  test('federation-11: is not asked for again for every unknown key', async () => {
    const fresh = await startSigningIssuer();
    const options = trusted({ issuer: `${fresh.url}/acme` });
    await verifyOidcToken(await fresh.sign(workloadClaims(fresh.url)), options);
    for (let round = 0; round < 200; round++) {
      const token = await fresh.sign(workloadClaims(fresh.url), { kid: `unknown-${round}` });
      await expect(verifyOidcToken(token, options)).rejects.toMatchObject(refused('key'));
    }
    expect(fresh.asked.get('/acme/.well-known/jwks')).toBe(1);
    await fresh.close();
  });

  test('not to be had, or elsewhere: no token is good', async () => {
    const answers: Record<string, (response: ServerResponse) => void> = {
      gone: (response) => response.writeHead(503).end(),
      moved: (response) => response.writeHead(302, { location: `${issuer.url}/acme/.well-known/jwks` }).end(),
      broken: (response) => response.writeHead(200).end('<html>'),
      empty: (response) => response.writeHead(200).end('{"keys":{}}'),
    };
    for (const [slug, answer] of Object.entries(answers)) {
      issuer.answers.set(`/${slug}/.well-known/jwks`, (_request, response) => answer(response));
      const iss = `${issuer.url}/${slug}`;
      await expect(verify({ iss, owner: slug }, { issuer: iss })).rejects.toMatchObject(
        refused('keys_unreachable'),
      );
    }
  });
});
