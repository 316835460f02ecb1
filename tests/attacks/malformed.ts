import type { Random } from './random.ts';

/** Texts that programs stumble over. */
const oddTexts = [
  '',
  ' ',
  '\u0000',
  'null',
  'undefined',
  '-1',
  '1e400',
  '99999999999999999999',
  '../../../etc/passwd',
  '%00',
  '%',
  '%zz',
  '%ff%fe',
  "' or 1=1 --",
  '"; drop table users; --',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '\ud800',
  '𝕏'.repeat(50),
  '\u202eabc',
  'a'.repeat(300),
  'a'.repeat(5_000),
  '__proto__',
  'constructor',
  'team_',
  `team_${'0'.repeat(24)}`,
  `prj_${'z'.repeat(24)}`,
  'vca_',
  `vca_${'A'.repeat(49)}`,
  `vcr_${'A'.repeat(49)}`,
  'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.',
  'eyJ.eyJ.x',
  'A'.repeat(43),
  'https://evil.example/',
  '//evil.example',
  'javascript:alert(1)',
  'http://[::1',
  'a@b',
  'ref_0000000000000000',
];

export function oddText(random: Random): string {
  return random.pick(oddTexts);
}

/** A value of JSON that a schema does not expect. */
export function oddValue(random: Random, depth = 0): unknown {
  const kinds: (() => unknown)[] = [
    () => oddText(random),
    () => oddText(random),
    () => null,
    () => random.once(2),
    () => random.below(1_000) - 500,
    () => 1e308,
    () => [],
    () => ({}),
    () => Array.from({ length: random.below(4) }, () => (depth > 3 ? 0 : oddValue(random, depth + 1))),
    () => Object.fromEntries([[oddText(random), depth > 3 ? 0 : oddValue(random, depth + 1)]]),
  ];
  return random.pick(kinds)();
}

/** A body of JSON that is broken, deep, large, or of the wrong shape; `names` are fields that the route knows. */
export function oddJson(random: Random, names: readonly string[]): string | Uint8Array {
  const kinds: (() => string | Uint8Array)[] = [
    () => JSON.stringify(Object.fromEntries(names.map((name) => [name, oddValue(random)]))),
    () => JSON.stringify(Object.fromEntries(names.map((name) => [name, oddValue(random)]))),
    () => JSON.stringify({ [random.pick([...names, 'x'])]: oddValue(random) }),
    () => JSON.stringify({ unknown: 1, [random.pick([...names, 'x'])]: 'a' }),
    () => '{',
    () => '[]',
    () => '"text"',
    () => 'null',
    () => '',
    () => '{"a":1,"a":2}',
    () => '{"__proto__":{"isAdmin":true}}',
    () => '['.repeat(50_000),
    () => `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
    () => `{"a":"${'x'.repeat(70_000)}"}`,
    () => new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    () => '\ufeff{}',
  ];
  return random.pick(kinds)();
}

/** A form's body with repeated, unknown, malformed or too many fields. */
export function oddForm(random: Random, names: readonly string[]): string | Uint8Array {
  const encode = (text: string): string => encodeURIComponent(text.toWellFormed());
  const field = (): string => {
    const name = random.once(4) ? encode(oddText(random)) : random.pick(names.length > 0 ? names : ['x']);
    return `${name}=${random.once(5) ? random.pick(['%', '%zz', '%ff%fe', '+', '=&=']) : encode(oddText(random))}`;
  };
  const kinds: (() => string | Uint8Array)[] = [
    () => names.map((name) => `${name}=${encode(oddText(random))}`).join('&'),
    () => names.map((name) => `${name}=${encode(oddText(random))}`).join('&'),
    () => Array.from({ length: 1 + random.below(6) }, field).join('&'),
    () => Array.from({ length: 2 }, () => `${random.pick(names.length > 0 ? names : ['x'])}=a`).join('&'),
    () => Array.from({ length: 150 }, (_, index) => `p${index}=1`).join('&'),
    () => `x=${'a'.repeat(66_000)}`,
    () => '&&&&',
    () => '',
    () => new Uint8Array([0x61, 0x3d, 0xff, 0xfe, 0x00]),
  ];
  return random.pick(kinds)();
}

/** Headers of a request that carry credentials, cookies and types that are not what they should be. */
export function oddHeaders(random: Random, apiToken: string, cookieNames: readonly string[]): string[] {
  const clean = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 2_000);
  const headers: string[] = [];
  const authorizations = [
    () => `Bearer ${apiToken}`,
    () => `Bearer ${apiToken}`,
    () => `Bearer ${apiToken}`,
    () => `Bearer ${apiToken.slice(0, -1)}`,
    () => `bearer  ${apiToken}`,
    () => 'Bearer',
    () => `Bearer ${clean(oddText(random))}`,
    () => `Basic ${Buffer.from(`${oddText(random)}:${oddText(random)}`).toString('base64')}`,
    () => 'Basic !!!',
    () => 'Basic',
    () => clean(oddText(random)),
    () => `DPoP ${apiToken}`,
  ];
  if (!random.once(4)) headers.push('Authorization', random.pick(authorizations)());
  if (random.once(3)) {
    const cookie = (): string => `${random.pick(cookieNames)}=${clean(oddText(random)).replaceAll(';', '')}`;
    headers.push('Cookie', Array.from({ length: 1 + random.below(4) }, cookie).join('; '));
  }
  if (random.once(6))
    headers.push('Cookie', random.pick([';;;', '=', 'a', '$Version=1', ' =;', `x=${'y'.repeat(7_000)}`]));
  if (random.once(4)) headers.push('Accept', random.pick(['text/html', 'application/json', '*/*', 'x', '']));
  if (random.once(8)) headers.push('Origin', random.pick(['null', 'https://evil.example', 'x', '']));
  if (random.once(8)) headers.push('X-Forwarded-For', clean(oddText(random)));
  if (random.once(8)) headers.push('X-Forwarded-Host', 'evil.example');
  if (random.once(12)) headers.push('Content-Encoding', random.pick(['gzip', 'x']));
  if (random.once(12)) headers.push('Expect', '100-continue');
  return headers;
}
