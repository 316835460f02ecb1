import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeNumberBase62 } from './base62.ts';
import { crc32 } from './crc32.ts';
import {
  codeChallengeS256,
  createBypassSecret,
  createId,
  createOpaqueToken,
  createReference,
  diagnoseRedirectUri,
  findDuplicateMember,
  escapeSubjectPart,
  formatOpaqueToken,
  formatPassportSubject,
  formatScope,
  formatWorkloadSubject,
  hasValidChecksum,
  isBypassSecret,
  isCodeVerifier,
  isId,
  isReference,
  isValidName,
  isValidWirePrefix,
  matchesRedirectUri,
  parsePassportSubject,
  parseScope,
  parseWorkloadSubject,
  redirectUriProblem,
  unescapeSubjectPart,
  verifyS256,
  wireNames,
} from './index.ts';

const text = fc.string({ unit: 'grapheme' });

describe('opaque tokens', () => {
  test('carry a checksum that every changed character breaks', () => {
    fc.assert(
      fc.property(fc.nat(48), fc.constantFrom(...'09AZaz'), (position, character) => {
        const token = createOpaqueToken('vca_');
        expect(hasValidChecksum(token, 'vca_')).toBe(true);
        const index = 4 + position;
        const changed = token.slice(0, index) + character + token.slice(index + 1);
        expect(hasValidChecksum(changed)).toBe(changed === token);
      }),
    );
  });
  test('have one length, whatever bytes they are derived from, and differ when the bytes differ', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (one, other) => {
          const token = formatOpaqueToken('vcr_', one);
          expect(token).toMatch(/^vcr_[0-9A-Za-z]{49}$/);
          expect(hasValidChecksum(token, 'vcr_')).toBe(true);
          const same = Buffer.compare(one, other) === 0;
          expect(formatOpaqueToken('vcr_', other) === token).toBe(same);
        },
      ),
    );
  });
  test('of another prefix or no form are refused', () => {
    expect(hasValidChecksum(createOpaqueToken('vca_'), 'vcr_')).toBe(false);
    fc.assert(fc.property(text, (anything) => !hasValidChecksum(anything)));
  });
});

describe('ids', () => {
  test('have 24 base62 characters and never repeat', () => {
    const ids = Array.from({ length: 1000 }, () => createId('prj'));
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^prj_[0-9A-Za-z]{24}$/);
    expect(isId('prj', ids[0]!)).toBe(true);
    expect(isId('team', ids[0]!)).toBe(false);
    expect(isReference(createReference())).toBe(true);
  });
});

describe('subjects', () => {
  test('escaping leaves a provider’s usual identifier as it is', () => {
    expect(escapeSubjectPart('auth0|x')).toBe('auth0|x');
    expect(escapeSubjectPart('a:b%c')).toBe('a%3Ab%25c');
    expect(escapeSubjectPart('é')).toBe('%C3%A9');
    expect(() => escapeSubjectPart('\ud800')).toThrow(RangeError);
  });
  test('escaping is undone by unescaping, for every string', () => {
    fc.assert(
      fc.property(text, (part) => {
        expect(unescapeSubjectPart(escapeSubjectPart(part))).toBe(part);
        expect(escapeSubjectPart(part)).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });
  // oxlint-disable-next-line vitest/expect-expect -- the property itself is the assertion
  test('what parses was formatted: a string has one reading', () => {
    const pieces = fc.array(fc.constantFrom('owner', ':', '%3A', '%3a', 'x', 'é', 'principal', 'connector'));
    fc.assert(
      fc.property(pieces, (parts) => {
        const candidate = parts.join('');
        const parsed = parsePassportSubject(candidate);
        return parsed === undefined || formatPassportSubject(parsed) === candidate;
      }),
    );
  });
  // oxlint-disable-next-line vitest/expect-expect -- the property itself is the assertion
  test('what parses as a workload was formatted: no two are one subject (federation-04)', () => {
    const words = [
      'owner',
      'owner_id',
      'project',
      'project_id',
      'environment',
      ':',
      '%3A',
      '%3a',
      '%25',
      'x',
      'é',
    ];
    const pieces = fc.array(fc.constantFrom(...words), { maxLength: 14 });
    fc.assert(
      fc.property(pieces, (parts) => {
        const candidate = parts.join('');
        const parsed = parseWorkloadSubject(candidate);
        return parsed === undefined || formatWorkloadSubject(parsed) === candidate;
      }),
      { numRuns: 2_000 },
    );
  });
  test('parse(format(x)) = x for workloads in both forms, and for visitors (federation-04)', () => {
    fc.assert(
      fc.property(text, text, text, (one, two, three) => {
        const byName = { form: 'names', teamSlug: one, projectName: two, environment: three } as const;
        expect(parseWorkloadSubject(formatWorkloadSubject(byName))).toEqual(byName);
        const byId = { form: 'ids', teamId: one, projectId: two, environment: three } as const;
        expect(parseWorkloadSubject(formatWorkloadSubject(byId))).toEqual(byId);
        const visitor = { teamSlug: one, connectorId: two, principal: three };
        expect(parsePassportSubject(formatPassportSubject(visitor))).toEqual(visitor);
      }),
    );
  });
  test('read as the documents show them', () => {
    expect(
      formatWorkloadSubject({
        form: 'names',
        teamSlug: 'acme',
        projectName: 'shop',
        environment: 'production',
      }),
    ).toBe('owner:acme:project:shop:environment:production');
  });
});

describe('members of JSON', () => {
  test('one that an object has twice is found, wherever it is and however it is spelt', () => {
    for (const twice of [
      '{"a":1,"a":2}',
      String.raw`{"a":1,"\u0061":2}`,
      '{"x":[{"b":{"a":"}","a":1}}]}',
      '{"a":{"a":1},"b":"\\\"{,","a":0}',
    ]) {
      expect(findDuplicateMember(twice)).toBe('a');
    }
    expect(findDuplicateMember('{"":1,"":2}')).toBe('');
  });
  test('none is found in what was written once', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const once = JSON.stringify(JSON.parse(json));
        expect(findDuplicateMember(once)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.dictionary(text, fc.jsonValue(), { minKeys: 1 }), (object) => {
        const [name = ''] = Object.keys(object);
        const doubled = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:0}`;
        expect(findDuplicateMember(doubled)).toBe(name);
      }),
    );
  });
});

describe('names', () => {
  test('follow the alphabet, never begin like an id, are never reserved', () => {
    for (const good of ['a', 'acme', 'my.app_2-x', '0', 'a'.repeat(100)])
      expect(isValidName(good)).toBe(true);
    for (const bad of [
      '',
      'A',
      '-a',
      'a-',
      '.well-known',
      'api',
      'team_x',
      'prj_1',
      'a b',
      'é',
      'a'.repeat(101),
    ]) {
      expect(isValidName(bad)).toBe(false);
    }
  });
});

describe('wire names', () => {
  test('are the documented ones for the default prefix', () => {
    const names = wireNames('vercel');
    expect(names.passportCookie).toBe('_vercel_passport');
    expect(names.accessTokenPrefix).toBe('vca_');
    expect(names.refreshTokenPrefix).toBe('vcr_');
    expect(names.finishPath).toBe('/.well-known/vercel/passport/finish');
    expect(names.oidcTokenFileEnvironment).toBe('VERCEL_OIDC_TOKEN_FILE');
  });
  test('all change with the prefix', () => {
    for (const name of Object.values(wireNames('zeta'))) expect(name).not.toMatch(/vercel|^vc/i);
    expect(isValidWirePrefix('my-co')).toBe(true);
    for (const bad of ['', '1a', 'A', 'a_', 'a-', 'é']) expect(isValidWirePrefix(bad)).toBe(false);
  });
});

describe('PKCE', () => {
  test('S256 as in RFC 7636, appendix B', async () => {
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
    expect(await codeChallengeS256(verifier)).toBe('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
    expect(await verifyS256(verifier, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')).toBe(true);
    expect(await verifyS256(`${verifier}x`, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')).toBe(false);
    expect(isCodeVerifier('a'.repeat(42))).toBe(false);
    expect(isCodeVerifier('a'.repeat(129))).toBe(false);
  });
});

describe('scopes', () => {
  test('parse(format(x)) = x', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[!#-[\]-~]+$/));
    fc.assert(
      fc.property(names, (scopes) => {
        expect(parseScope(formatScope(scopes))).toEqual(scopes);
      }),
    );
    expect(parseScope('openid  openid')).toEqual(['openid']);
    expect(parseScope('a"b')).toBeUndefined();
  });
});

describe('redirect URIs at registration', () => {
  test.each([
    'https://app.example.com/callback',
    'https://app.example.com',
    'https://app.example.com:8443/cb?tenant=1',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:3000/cb',
    'http://[::1]:3000/cb',
    'http://localhost:3000/cb',
    'http://shop.app.localhost:4000/cb',
    'com.example.app:/callback',
  ])('allows %s', (uri) => expect(redirectUriProblem(uri)).toBeUndefined());
  test.each([
    '',
    '/callback',
    'https://a.example/cb#x',
    'https://*.example.com/cb',
    'https://user@example.com/cb',
    'https://a.example/x/../cb',
    'https://a.example/x/%2e%2E/cb',
    'https://a.example\\@evil.example/cb',
    'https://a.example/c b',
    'https://a.example/cb\n',
    'https://bücher.example/cb',
    'https:a.example/cb',
    'https:///a.example/cb',
    'https://0x7f.1/cb',
    'https://A.example/cb',
    'HTTPS://a.example/cb',
    'http://a.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://a.example/1',
    'vbscript:x',
    'file:///etc/passwd',
    'myapp:/cb',
    'https://a.example/cb?code=1',
    `https://a.example/${'a'.repeat(2000)}`,
  ])('refuses %j', (uri) => {
    expect(redirectUriProblem(uri)?.reason).toBeTypeOf('string');
  });
  test('never allows what a browser would not take to the host that is written', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.string(), (url, noise) => {
        const uri = url + noise;
        if (redirectUriProblem(uri) !== undefined) return;
        expect(new URL(uri).host).toBe(/^[a-z]+:\/\/([^/?]*)/.exec(uri)?.[1]?.replace(/:(80|443)$/, ''));
      }),
    );
  });
});

describe('redirect URIs in a request', () => {
  test('are compared character by character', () => {
    const registered = 'https://a.example/cb';
    expect(matchesRedirectUri(registered, registered)).toBe(true);
    for (const other of [
      `${registered}/`,
      `${registered}?x=1`,
      'https://a.example/CB',
      'https://a.example:443/cb',
    ]) {
      expect(matchesRedirectUri(registered, other)).toBe(false);
    }
  });
  test('on a loopback address match on any port, and on nothing else', () => {
    expect(matchesRedirectUri('http://127.0.0.1/cb', 'http://127.0.0.1:51004/cb')).toBe(true);
    expect(matchesRedirectUri('http://[::1]:1/cb', 'http://[::1]:2/cb')).toBe(true);
    for (const other of [
      'http://127.0.0.1:51004/other',
      'http://localhost:51004/cb',
      'http://127.0.0.1:99999/cb',
      'http://127.0.0.1:0/cb',
      'http://127.0.0.1:51004@evil.example/cb',
      'http://[::1]:51004/cb',
      'https://127.0.0.1:51004/cb',
    ]) {
      expect(matchesRedirectUri('http://127.0.0.1/cb', other)).toBe(false);
    }
    expect(matchesRedirectUri('http://localhost:3000/cb', 'http://localhost:3001/cb')).toBe(false);
  });
  test('that nearly match are diagnosed', () => {
    const registered = ['https://app.example.com/cb', 'http://localhost:3000/cb'];
    const difference = (uri: string) => diagnoseRedirectUri(registered, uri)?.differences.join(', ');
    expect(difference('https://app.example.com/cb/')).toBe('trailing slash');
    expect(difference('http://app.example.com/cb')).toBe('scheme');
    expect(difference('http://localhost:3001/cb')).toBe('port');
    expect(difference('https://app.exmaple.com/cb')).toBe('host');
    expect(difference('https://app.example.com/CB')).toBe('letter case');
    expect(difference('https://app.example.com/callback')).toBe('path');
    expect(difference('https://app.example.com/cb?x=1')).toBe('query');
    expect(difference('https://www.app.example.com/cb')).toBe('host');
    expect(difference('http://127.0.0.1:3000/cb')).toBe('host');
    expect(difference(' https://app.example.com/cb')).toBe('white space');
    expect(difference('https%3A%2F%2Fapp.example.com%2Fcb')).toBe('encoding');
    expect(difference('https://app.example.com/cb#_=_')).toBe('fragment');
    expect(difference('http://app.example.com/cb/')).toBe('scheme, trailing slash');
    expect(difference('http://app.example.com:8080/other')).toBeUndefined();
    expect(difference('https://evil.example/x')).toBeUndefined();
    expect(difference('https://evil.example/cb')).toBeUndefined();
    expect(difference('not a url')).toBeUndefined();
  });

  test('of any length are compared at once: a stranger chooses what is presented', () => {
    const registered = Array.from(
      { length: 50 },
      (_, index) => `https://${'a'.repeat(1_900)}${index}.example/cb`,
    );
    const began = performance.now();
    for (const length of [1_900, 60_000]) {
      expect(diagnoseRedirectUri(registered, `https://${'b'.repeat(length)}.example/cb`)).toBeUndefined();
    }
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

test('a bypass secret is 32 letters and digits, no two alike, of which six are the checksum of the others', () => {
  const made = Array.from({ length: 1_000 }, createBypassSecret);
  expect(made.every(isBypassSecret)).toBe(true);
  expect(new Set(made).size).toBe(1_000);
  for (const secret of made.slice(0, 50)) {
    expect(secret.slice(26)).toBe(encodeNumberBase62(crc32(secret.slice(0, 26)), 6));
  }
  const [one = ''] = made;
  for (const other of [
    '',
    one.slice(1),
    `${one}a`,
    `${one.slice(1)}-`,
    `${one.slice(1)}\n`,
    `${one.slice(1)}é`,
  ])
    expect(isBypassSecret(other)).toBe(false);
});
