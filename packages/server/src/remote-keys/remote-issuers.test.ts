import {
  CompactSign,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { createShiftedClock } from '#clock';
import { createRemoteIssuers, createRemoteKeys } from './index.ts';

const issuer = 'https://ci.example';
const discoveryUrl = `${issuer}/.well-known/openid-configuration`;
const jwksUri = 'https://keys.ci.example/jwks';

let key: { privateKey: CryptoKey; jwk: JWK };
let stranger: CryptoKey;

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  key = { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' } };
  stranger = (await generateKeyPair('RS256')).privateKey;
});

function world() {
  const clock = createShiftedClock();
  const asked: string[] = [];
  const answers: Record<string, () => Response> = {
    [discoveryUrl]: () => Response.json({ issuer, jwks_uri: jwksUri }),
    [jwksUri]: () => Response.json({ keys: [key.jwk] }),
  };
  const fetch = async (url: string) => {
    asked.push(url);
    const answer = answers[url];
    if (answer === undefined) throw new Error(`no answer of ${url}`);
    return answer();
  };
  const issuers = createRemoteIssuers({ fetch, remoteKeys: createRemoteKeys({ fetch, clock }), clock });
  const token = (
    more: { claims?: object; header?: object; key?: CryptoKey; life?: number } = {},
  ): Promise<string> => {
    const now = Math.floor(clock.now() / 1000);
    return new SignJWT({
      iss: issuer,
      aud: 'https://acme.example',
      sub: 'repo:acme/site',
      iat: now,
      exp: now + (more.life ?? 300),
      ...more.claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT', ...more.header })
      .sign(more.key ?? key.privateKey, { crit: { x: true } });
  };
  const outcome = (text: string, at = issuer): Promise<string> =>
    issuers.verify(text, at).then(
      ({ sub }) => String(sub),
      (error: Error) => error.name,
    );
  return { clock, asked, answers, issuers, token, outcome };
}

describe('tokens of outside issuers', () => {
  it('verifies one by what its issuer publishes, and fetches once for many', async () => {
    const { asked, outcome, token } = world();
    const text = await token();
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => outcome(text)));
    expect(new Set(outcomes)).toEqual(new Set(['repo:acme/site']));
    expect(asked).toEqual([discoveryUrl, jwksUri]);
  });

  it('refuses what the issuer did not sign, or signed for something else', async () => {
    const { clock, outcome, token } = world();
    const now = Math.floor(clock.now() / 1000);
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk));
    const hmac = await new SignJWT({ iss: issuer, sub: 's', aud: 'a', iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(secret);
    const unsigned = new UnsecuredJWT({ iss: issuer, sub: 's', aud: 'a', iat: now, exp: now + 60 }).encode();
    const bad = [
      await token({ key: stranger }),
      await token({ header: { kid: 'made-up' } }),
      await token({ header: { typ: 'at+jwt' } }),
      await token({ header: { typ: 'logout+jwt' } }),
      await token({ header: { crit: ['x'], x: 1 } }),
      await token({ claims: { iss: `${issuer}/` } }),
      await token({ claims: { iss: 'https://ci.example.evil.example' } }),
      await token({ life: -60 }),
      await token({ claims: { nbf: now + 3_600 } }),
      await token({ life: 26 * 3_600 }),
      await token({ claims: { iat: now + 60 } }),
      await token({ claims: { iat: now + 10 * 24 * 3_600, exp: now + 10 * 24 * 3_600 + 300 } }),
      await token({ claims: { iat: now + 20, exp: now + 20 + 25 * 3_600 } }),
      await token({ claims: { exp: undefined } }),
      await token({ claims: { iat: undefined } }),
      await token({ claims: { aud: undefined } }),
      hmac,
      unsigned,
      'not a token',
      `${await token()}x`,
      'a'.repeat(20_000),
    ];
    for (const text of bad) expect(await outcome(text), text.slice(0, 200)).toBe('RemoteTokenRefused');
  });

  it('takes one of a clock that is a little ahead', async () => {
    const { clock, outcome, token } = world();
    const now = Math.floor(clock.now() / 1000);
    expect(await outcome(await token({ claims: { iat: now + 20 } }))).toBe('repo:acme/site');
  });

  it('federation-08 refuses what says a claim twice, at any depth and however it is escaped', async () => {
    const { clock, issuers, token } = world();
    const now = Math.floor(clock.now() / 1000);
    const { jwk: _, privateKey } = key;
    const good = `"iss":"${issuer}","aud":"a","iat":${now},"exp":${now + 60},"sub":"one"`;
    const sign = (payload: string) =>
      new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT' })
        .sign(privateKey);
    expect((await issuers.verify(await sign(`{${good}}`), issuer)).sub).toBe('one');
    for (const more of ['"sub":"two"', String.raw`"s\u0075b":"two"`, '"act":{"sub":"a","sub":"b"}']) {
      await expect(issuers.verify(await sign(`{${good},${more}}`), issuer), more).rejects.toThrow(
        'it says "sub" twice',
      );
    }
    expect((await issuers.verify(await token(), issuer)).sub).toBe('repo:acme/site');
  });

  it.each([
    ['nothing answers', () => undefined],
    ['it is not there', () => new Response('', { status: 404 })],
    ['it is not JSON', () => new Response('<html>')],
    ['it names another issuer', () => Response.json({ issuer: `${issuer}/`, jwks_uri: jwksUri })],
    ['it has no keys', () => Response.json({ issuer })],
  ])('says that discovery fails when %s, and asks again only after half a minute', async (_, answer) => {
    const { asked, answers, clock, outcome, token } = world();
    if (answer() === undefined) delete answers[discoveryUrl];
    else answers[discoveryUrl] = answer as () => Response;
    for (let each = 0; each < 20; each += 1) expect(await outcome(await token())).toBe('RemoteIssuerFailure');
    expect(asked).toEqual([discoveryUrl]);
    clock.advance(30_000);
    answers[discoveryUrl] = () => Response.json({ issuer, jwks_uri: jwksUri });
    expect(await outcome(await token())).toBe('repo:acme/site');
  });

  it('does not ask a dead key set for every token either', async () => {
    const { asked, answers, clock, outcome, token } = world();
    answers[jwksUri] = () => new Response('', { status: 503 });
    for (let each = 0; each < 20; each += 1) expect(await outcome(await token())).toBe('RemoteIssuerFailure');
    expect(asked).toEqual([discoveryUrl, jwksUri]);
    clock.advance(30_000);
    answers[jwksUri] = () => Response.json({ keys: [key.jwk] });
    expect(await outcome(await token())).toBe('repo:acme/site');
  });

  it('asks once in half a minute about key ids that somebody makes up (advisory-extra: key storms)', async () => {
    const { asked, outcome, token } = world();
    await outcome(await token());
    for (let each = 0; each < 20; each += 1) {
      expect(await outcome(await token({ header: { kid: `made-up-${each}` } }))).toBe('RemoteTokenRefused');
    }
    expect(asked).toEqual([discoveryUrl, jwksUri]);
  });

  it('uses the last good documents while the issuer is down, for a day', async () => {
    const { answers, clock, outcome, token } = world();
    expect(await outcome(await token())).toBe('repo:acme/site');
    delete answers[discoveryUrl];
    delete answers[jwksUri];
    clock.advance(23 * 3_600_000);
    expect(await outcome(await token())).toBe('repo:acme/site');
    clock.advance(2 * 3_600_000);
    expect(await outcome(await token())).toBe('RemoteIssuerFailure');
  });
});
