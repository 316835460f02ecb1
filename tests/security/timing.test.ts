import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const source = join(import.meta.dirname, '../../packages/server/src');

/** What is compared with what somebody presents, by the names that such things have here. */
const comparison =
  /\b\w*(?:hash|mac|secret|verifier|challenge|csrf\w*|password|credential|signature)\)? *[!=]== *(?!undefined|null|''|'[\w-]+'|\d|true|false)[\w(]/i;
/** The same where that name stands on the right, or in a call on the left. */
const words =
  '[hH]ash|[mM]ac|[sS]ecret|[vV]erifier|[cC]hallenge|[cC]srf\\w*|[pP]assword|[cC]redential|[sS]ignature';
const reversed = new RegExp(`[!=]== *[\\w.?]*(?:${words})\\b|(?:${words})\\w*\\([^)]*\\) *[!=]==`);
const compares = (line: string) => comparison.test(line) || reversed.test(line);
/**
 * `typeof secret === 'string'` and the like compare no secret; neither does `at_hash`, which a provider has signed and
 * anybody can compute who has the access token.
 */
const harmless = /typeof|\.length|needsSecret ===|atHash !==|link\.id === idOrSecret/;

test('what proves something is compared in constant time, by one function (advisory-extra: timing)', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  expect(files.length).toBeGreaterThan(200);
  const found = files.flatMap((file) =>
    readFileSync(join(source, file), 'utf8')
      .split('\n')
      .filter((line) => compares(line) && !harmless.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(found, 'compare with equalInConstantTime of #sealing').toEqual([]);
});

test('the look-out finds what it is for', () => {
  for (const line of [
    'if (session.companionHash !== claims.companionHash) {',
    '? link.secretHash === hashOf(secret)',
    'return mac === macOf(text);',
    'if (password !== expected) throw refused();',
    'if (sent === cookie.secret) return;',
    'return found !== undefined && hashSecret(value) === known;',
    'const isIt = value === row.companionHash;',
  ]) {
    expect(compares(line), line).toBe(true);
  }
  for (const line of ['if (secret === undefined) return;', "if (method === 'client_secret_post') {"]) {
    expect(compares(line), line).toBe(false);
  }
});
