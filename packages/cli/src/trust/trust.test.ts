import { describe, expect, test } from 'vitest';
import { checkTrust } from './check.ts';
import { parseConfiguration, TrustInputRefused } from './condition.ts';
import { readExpression } from './expression.ts';
import { lintTrust, type ExpectedIssuer } from './lint.ts';
import { getVerifier, parseWanted, verifiers } from './verifiers.ts';

type Name = keyof typeof verifiers;
const names = Object.keys(verifiers) as Name[];
const issuer = 'https://oidc.example.com/acme';
const byName = {
  issuer,
  audience: 'https://orders.example.com',
  team: 'acme',
  project: 'shop',
  environments: ['production'],
  account: '123456789012',
};
const ids = { team: `team_${'a'.repeat(24)}`, project: `prj_${'b'.repeat(24)}` };
const subject = 'owner:acme:project:shop:environment:production';
const every = `owner:acme:project:shop:environment:*`;

const printFor = (name: Name, wanted: object = {}) =>
  getVerifier(name).print(parseWanted(getVerifier(name), { ...byName, ...wanted }));
const lint = (name: Name, configuration: unknown, expected?: ExpectedIssuer) =>
  lintTrust(getVerifier(name).read(configuration), expected);
const codes = (name: Name, configuration: unknown, expected?: ExpectedIssuer) =>
  lint(name, configuration, expected)
    .filter(({ severity }) => severity === 'error')
    .map(({ code }) => code);

/** A printed configuration with a text in it replaced everywhere; every replacement must do something. */
function change(name: Name, ...replaced: [string | RegExp, string][]): unknown {
  let text = JSON.stringify(printFor(name));
  for (const [from, to] of replaced) {
    const next = text.replaceAll(typeof from === 'string' ? from : new RegExp(from, 'g'), to);
    expect(next, `${name}: ${from}`).not.toBe(text);
    text = next;
  }
  return JSON.parse(text) as unknown;
}

function tryTo<T>(act: () => T): T | string {
  try {
    return act();
  } catch (error) {
    if (error instanceof TrustInputRefused) return error.message;
    throw error;
  }
}

/** How each configuration says nothing about the subject. */
const withoutSubject: Readonly<Record<Name, [string | RegExp, string]>> = {
  aws: [/,"[^"]*:sub":"[^"]*"/, ''],
  'google-cloud': [/,"attributeCondition":"[^"]*"/, ''],
  azure: [`"subject":"${subject}",`, ''],
  vault: [/"bound_claims":\{[^}]*\},/, ''],
  kubernetes: [/"claimValidationRules":\[[^\]]*\][^\]]*\],/, ''],
  minio: [/,"jwt:sub":\[[^\]]*\]/, ''],
  'own-api': [/"project":"[^"]*","environment":\["[^"]*"\]/, '"other":1'],
};
const withoutAudience: Readonly<Record<Name, [string | RegExp, string]>> = {
  aws: [/"[^"]*:aud":"[^"]*",/, ''],
  'google-cloud': [/,"allowedAudiences":\[[^\]]*\]/, ''],
  azure: [/,"audiences":\[[^\]]*\]/, ''],
  vault: [/"bound_audiences":\[[^\]]*\],/, ''],
  kubernetes: [/,"audiences":\[[^\]]*\]/, ''],
  minio: [/"MINIO_IDENTITY_OPENID_CLIENT_ID":"[^"]*",/, ''],
  'own-api': [/"audience":"[^"]*",/, ''],
};

describe.each(names)('trust at %s', (name) => {
  test('what is printed has no mistake; by ids nothing at all is said, by names that ids are better', () => {
    expect(lint(name, printFor(name, ids), { issuer }).map(({ code }) => code)).toEqual(
      name === 'azure' ? ['audience'] : [],
    );
    const byNames = lint(name, printFor(name), { issuer });
    expect(byNames.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(byNames.map(({ code }) => code)).toContain('name-not-id');
  });

  test('a configuration that compares the audience alone is an error (federation-01)', () => {
    expect(codes(name, change(name, withoutSubject[name]))).toEqual(['audience-only']);
    const global = withoutSubject[name];
    const path = change(name, global, ['oidc.example.com/acme', 'oidc.example.com']);
    expect(codes(name, path)).toEqual(['global-issuer-without-subject']);
  });

  test('no audience is an error', () => {
    expect(codes(name, change(name, withoutAudience[name]))).toEqual(['no-audience']);
  });

  test('a wildcard in place of the environment is an error, however it is compared (federation-02)', () => {
    const found =
      name === 'own-api'
        ? codes(name, change(name, ['["production"]', '["*"]']))
        : codes(name, change(name, [subject, every]));
    expect(found).toEqual(['literal-wildcard']);
  });

  test('another issuer than the expected one, and another team’s, is an error', () => {
    expect(codes(name, printFor(name), { issuer: 'https://oidc.example.com/other' })).toContain(
      'swapped-issuer',
    );
    const swapped =
      name === 'own-api'
        ? change(name, ['"shop"', '"other/shop"'])
        : change(name, ['oidc.example.com/acme', 'oidc.example.com/other']);
    expect(codes(name, swapped)).toEqual(['swapped-issuer']);
  });

  test('the issuer of all teams at an address of its own is told, not guessed', () => {
    const custom = printFor(name, { issuer: 'https://id.example.com/tokens' });
    const errors = codes(name, custom, { isGlobal: true });
    expect(errors).toEqual([]);
    const alone = change(name, withoutSubject[name], ['oidc.example.com/acme', 'id.example.com/tokens']);
    expect(codes(name, alone, { isGlobal: true })).toEqual(['global-issuer-without-subject']);
    expect(codes(name, alone)).toEqual(['audience-only']);
  });

  test('an issuer that is not https or ends with a slash is an error', () => {
    const told = tryTo(() => codes(name, printFor(name, { issuer: 'http://oidc.example.com/acme' })));
    expect(String(told)).toContain(name === 'aws' ? 'AWS takes https' : 'issuer-url');
    const slash =
      name === 'minio'
        ? change(name, [
            '"jwt:iss":["https://oidc.example.com/acme"]',
            '"jwt:iss":["https://oidc.example.com/acme/"]',
          ])
        : change(name, ['oidc.example.com/acme"', 'oidc.example.com/acme/"']);
    expect(codes(name, slash)).toContain('issuer-url');
  });

  test('what is no configuration at all is refused in words, and an empty one trusts nobody', () => {
    for (const wrong of ['x', 1, null]) expect(() => lint(name, wrong)).toThrow(TrustInputRefused);
    // Refused in words, or findings.
    expect(tryTo(() => codes(name, {})).length).toBeGreaterThan(0);
    expect(() =>
      lint(
        name,
        JSON.parse(JSON.stringify(printFor(name)).replaceAll('"https://orders.example.com"', '7')) as unknown,
      ),
    ).toThrow(/is 7; expected/);
  });
});

describe('wildcards where they work', () => {
  const like = (value: string) =>
    change(
      'aws',
      ['StringEquals', 'StringLike'],
      ...(value === subject ? [] : [[subject, value] as [string, string]]),
    );

  test.each([
    every,
    'owner:acme:*',
    '*',
    'owner:acme:project:shop:environment:p*',
    'owner:acme:project:shop:*production',
  ])('StringLike %s takes previews (federation-02)', (value) =>
    expect(codes('aws', like(value))).toEqual(['wildcard-environment']),
  );

  test('a wildcard over projects is an error of its own, and one that is none is fine', () => {
    expect(codes('aws', like('owner:acme:project:*:environment:production'))).toEqual(['wildcard']);
    expect(codes('aws', like(subject))).toEqual([]);
  });

  test('in Vault with globs, and in an expression that only looks at the beginning', () => {
    expect(codes('vault', change('vault', ['"string"', '"glob"'], [subject, every]))).toEqual([
      'wildcard-environment',
    ]);
    const begins = change('google-cloud', [
      `assertion.sub in ['${subject}']`,
      "assertion.sub.startsWith('owner:acme:')",
    ]);
    expect(codes('google-cloud', begins)).toEqual(['wildcard-environment']);
  });
});

describe('mistakes of one verifier alone', () => {
  test('AWS: keys of another issuer, everyone as principal, operators that pass when the key is missing', () => {
    expect(codes('aws', change('aws', ['oidc.example.com/acme:sub', 'oidc.example.com:sub']))).toEqual([
      'swapped-issuer',
      'not-understood',
    ]);
    expect(codes('aws', change('aws', [/"Federated":"[^"]*"/, '"AWS":"*"']))).toEqual(['everyone']);
    expect(codes('aws', change('aws', ['"StringEquals"', '"StringEqualsIfExists"']))).toContain(
      'not-understood',
    );
    expect(() => codes('aws', change('aws', ['"Allow"', '"Deny"']))).toThrow('Deny');
  });

  test.each([
    'sts:*',
    'STS:*',
    '*',
    '**',
    's*',
    'sts:Assume*',
    'sts:A?sume*',
    'sts:AssumeRoleWithWeb*',
    'sts:assumerolewithwebidentity',
    'sts:AssumeRole*Identity',
    '*:*WebIdentity',
  ])('AWS: a statement with the action %s is read like any other', (action) => {
    const wide = change('aws', withoutSubject.aws, ['sts:AssumeRoleWithWebIdentity', action]);
    expect(codes('aws', wide)).toEqual(['audience-only']);
  });

  test.each([
    'sts:AssumeRole',
    'sts:TagSession',
    'sts:AssumeRoleWith?',
    's.s:*',
    'sts:AssumeRoleWithSAML',
    '',
  ])('AWS: a statement with the action %j lets no workload in', (action) =>
    expect(codes('aws', change('aws', ['sts:AssumeRoleWithWebIdentity', action]))).toEqual(['no-grant']),
  );

  test('Google Cloud: a long subject, none at all, and an expression with an alternative', () => {
    const long = change('google-cloud', [/"google.subject":"[^"]*"/, '"google.subject":"assertion.sub"']);
    expect(lint('google-cloud', long).map(({ code }) => code)).toContain('long-subject');
    expect(codes('google-cloud', change('google-cloud', [/"google.subject":"[^"]*"/, '"x":"y"']))).toEqual([
      'no-mapping',
    ]);
    const either = change('google-cloud', ['assertion.sub in', "assertion.aud == 'x' || assertion.sub in"]);
    expect(codes('google-cloud', either)).toContain('not-understood');
  });

  test('Azure: more than one audience, the same twice, more than it takes', () => {
    expect(codes('azure', change('azure', [/"audiences":\[/, '"audiences":["x",']))).toEqual(['audiences']);
    const [credential] = printFor('azure') as object[];
    expect(codes('azure', [credential, credential])).toEqual(['twice']);
    const many = printFor('azure', { environments: Array.from({ length: 21 }, (_, index) => `e${index}`) });
    expect(codes('azure', many)).toEqual(['too-many']);
  });

  test('Vault and MinIO: an issuer that nobody compares', () => {
    expect(codes('vault', change('vault', [/"bound_issuer":"[^"]*"/, '"bound_issuer":""']))).toContain(
      'no-issuer',
    );
    expect(codes('vault', change('vault', ['"config":{', '"config":{"jwks_pairs":[],']))).toEqual([
      'issuer-not-compared',
    ]);
    expect(codes('minio', change('minio', [/"jwt:iss":\[[^\]]*\],/, '']))).toEqual(['no-issuer']);
  });

  test('an own API: a project without environment, a name under the global issuer without its team', () => {
    expect(codes('own-api', change('own-api', [',"environment":["production"]', '']))).toEqual([
      'no-environment',
    ]);
    expect(codes('own-api', change('own-api', ['oidc.example.com/acme', 'oidc.example.com']))).toEqual([
      'global-issuer-without-subject',
    ]);
    for (const global of ['https://oidc.example.com', 'https://id.example.com/oidc', 'https://a.example/x']) {
      expect(printFor('own-api', { issuer: global })).toMatchObject({ project: 'acme/shop' });
    }
  });
});

describe('what is asked for', () => {
  test.each([
    ['issuer', { issuer: "https://x.example/'||true" }],
    ['issuer', { issuer: 'https://user@x.example' }],
    ['audience', { audience: "x'" }],
    ['Team and project', { team: ids.team }],
    ['Team and project', { project: '*' }],
    ['environment', { environments: ['*'] }],
    ['environment', { environments: [] }],
  ])('a wrong %s is refused before anything is printed', (word, wrong) => {
    expect(() => printFor('vault', wrong)).toThrow(word);
  });

  test('AWS without account, a cloud that is not known, a configuration with a member twice or in YAML', () => {
    const { account: _, ...without } = byName;
    expect(() => getVerifier('aws').print(parseWanted(getVerifier('aws'), without))).toThrow('--account');
    expect(() => getVerifier('toString')).toThrow('expected one of aws');
    expect(() => parseConfiguration('{"a":1,"\\u0061":2}')).toThrow('twice');
    expect(() => parseConfiguration('a: 1')).toThrow('not JSON');
  });
});

describe('a token against a configuration', () => {
  const now = 1_800_000_000;
  const claims = {
    iss: issuer,
    aud: byName.audience,
    sub: subject,
    owner: 'acme',
    project: 'shop',
    project_id: ids.project,
    environment: 'production',
    iat: now,
    nbf: now,
    exp: now + 3600,
  };
  const encode = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const token = (more: object = {}, alg = 'RS256') =>
    `${encode({ alg })}.${encode({ ...claims, ...more })}.c2ln`;
  const failed = (name: Name, text: string, configuration = printFor(name)) => {
    const { passed, token: demands, grants } = checkTrust(getVerifier(name), configuration, text, now);
    const lines = [...demands, ...grants.flatMap(({ lines: each }) => each)].filter((line) => !line.passed);
    expect(passed).toBe(lines.length === 0);
    return lines.map(({ line }) => line);
  };

  test.each(names)('%s: every claim fails on its own line', (name) => {
    expect(failed(name, token())).toEqual([]);
    expect(failed(name, token({ aud: 'x' }))).toHaveLength(1);
    expect(failed(name, token({ iss: `${issuer}/` }))).toHaveLength(1);
    expect(
      failed(name, token({ sub: subject.replace('production', 'preview'), environment: 'preview' })),
    ).toHaveLength(1);
    expect(failed(name, token({ exp: now - 61 }))).toEqual(['exp']);
    expect(failed(name, token({ nbf: now + 61 }))).toEqual(['nbf']);
    expect(failed(name, token({}, 'HS256'))).toEqual(['algorithm']);
    expect(failed(name, token({ exp: undefined }))).toContain('exp');
  });

  test('what cannot be read is not proven; wildcards are judged as the verifier does', () => {
    expect(
      failed('aws', token(), change('aws', ['"StringEquals"', '"ForAllValues:StringEquals"'])),
    ).toHaveLength(2);
    const like = change(
      'aws',
      ['StringEquals', 'StringLike'],
      [subject, 'owner:acme:*:environment:prod????on'],
    );
    expect(failed('aws', token(), like)).toEqual([]);
    expect(failed('azure', token({}, 'ES256'))).toEqual(['algorithm']);
  });

  test('Google Cloud: 127 bytes of subject and 24 hours of life', () => {
    const long = change('google-cloud', [/"google.subject":"[^"]*"/, '"google.subject":"assertion.project"']);
    expect(failed('google-cloud', token({ project: 'x'.repeat(127) }), long)).toEqual([]);
    expect(failed('google-cloud', token({ project: 'x'.repeat(128) }), long)).toEqual([
      "attributeMapping['google.subject']",
    ]);
    expect(failed('google-cloud', token({ exp: now + 86_401 }))).toEqual(['exp - iat']);
  });

  test('a text that is no token is refused without being repeated', () => {
    const twice = `${encode({ alg: 'RS256' })}.${encode(`{"sub":"a","sub":"b"}`)}.c2ln`;
    for (const wrong of ['', 'secret', 'a.b', 'a.b.c', twice, `${token()} ${token()}`, 'x'.repeat(20_001)]) {
      expect(() => failed('vault', wrong)).toThrow('The file holds no token');
    }
  });

  test('of an expression only what is wholly understood counts', () => {
    for (const text of [
      '',
      'true',
      "claims.sub != 'a'",
      "!(claims.sub == 'a')",
      "claims.sub == 'a' || true",
      'claims.sub in []',
      "claims.sub == 'a' &&",
      "claims.sub == 'a'b",
    ]) {
      expect(readExpression(text, 'claims', 'x')).toEqual([expect.objectContaining({ match: 'unread' })]);
    }
    expect(readExpression(`claims.sub == "a" && claims.aud in ['b', 'c']`, 'claims', 'x')).toMatchObject([
      { claim: 'sub', values: ['a'] },
      { claim: 'aud', values: ['b', 'c'] },
    ]);
  });
});
