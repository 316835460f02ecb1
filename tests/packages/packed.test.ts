import { EdgeVM } from '@edge-runtime/vm';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installPacked, readManifest, root, run } from './packed.ts';
import { passportClaims, startSigningIssuer, workloadClaims, type SigningIssuer } from './signing-issuer.ts';

const names = ['oidc', 'passport'] as const;

let issuer: SigningIssuer;
let folder: string;
let distOf: (name: string) => string;
beforeAll(async () => {
  issuer = await startSigningIssuer();
  ({ folder, distOf } = await installPacked(names));
}, 240_000);
afterAll(async () => {
  await issuer?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What a stranger writes: it gets both packages, tokens, and prints what it found. */
const program = (load: string) => `
${load}
const input = JSON.parse(process.env.INPUT);
const print = (found) => console.log(JSON.stringify(found));
const claims = await oidc.verifyOidcToken(input.workload, input.trusted);
const identity = await passport.verifyIdentity(input.visitor, input.accepted);
const code = await oidc.verifyOidcToken(input.visitor, input.trusted).catch((error) => [error.name, error.code]);
process.env.VERCEL_OIDC_TOKEN = input.workload;
const token = await oidc.getOidcToken();
print({ project: claims.project, externalSub: identity.externalSub, code, same: token === input.workload,
  isError: await oidc.verifyOidcToken('', input.trusted).catch((error) => error instanceof oidc.OidcVerificationError) });
`;

const expected = {
  project: 'shop',
  externalSub: 'staff|grace',
  code: ['OidcVerificationError', 'issuer'],
  same: true,
  isError: true,
};

async function input() {
  return {
    workload: await issuer.sign(workloadClaims(issuer.url)),
    visitor: await issuer.sign(passportClaims(`${issuer.url}/visitors`)),
    trusted: {
      issuer: `${issuer.url}/acme`,
      audience: 'https://tessera.example/acme',
      project: 'shop',
      environment: 'production',
    },
    accepted: {
      issuer: `${issuer.url}/visitors/acme`,
      audience: 'https://tessera.example/acme/site/production',
    },
  };
}

describe('what is published', () => {
  test.each(names)('@tessera/%s is what publint wants', async (name) => {
    const { messages, pkg } = await publint({
      pkgDir: distOf(name),
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('needs nothing but jose', () => {
    for (const name of names) {
      expect(Object.keys(readManifest(folder, `@tessera/${name}`).dependencies ?? {})).toEqual(['jose']);
    }
    const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed.toSorted()).toEqual(['@tessera', 'jose']);
  });

  test('has neither sources nor tests in it', () => {
    const files = names.flatMap((name) =>
      readdirSync(join(folder, 'node_modules', '@tessera', name), { recursive: true, encoding: 'utf8' }),
    );
    expect(files.filter((path) => /(?<!\.d)\.ts$|\.test\.|tsconfig/.test(path))).toEqual([]);
    expect(files).toContain('README.md');
    expect(files).toContain('LICENSE');
  });

  test.each([
    ['import', "import * as oidc from '@tessera/oidc'; import * as passport from '@tessera/passport';"],
    [
      'require',
      `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);
       const oidc = require('@tessera/oidc'); const passport = require('@tessera/passport');`,
    ],
  ])('works in Node, by %s', async (kind, load) => {
    writeFileSync(join(folder, `${kind}.mjs`), program(load));
    const { stdout, stderr } = await run(folder, [`${kind}.mjs`], { INPUT: JSON.stringify(await input()) });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  test('has every door that it names', async () => {
    const doors = ['@tessera/oidc/aws', '@tessera/oidc/request-context', '@tessera/oidc/register'];
    writeFileSync(
      join(folder, 'doors.mjs'),
      `const found = {};
       for (const door of ${JSON.stringify(doors)}) found[door] = Object.keys(await import(door));
       found.context = typeof globalThis[Symbol.for('@vercel/request-context')].get;
       console.log(JSON.stringify(found));`,
    );
    const { stdout, stderr } = await run(folder, ['doors.mjs']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      '@tessera/oidc/aws': ['awsCredentialsProvider'],
      '@tessera/oidc/request-context': [
        'createRequestContext',
        'expressRequestContext',
        'honoRequestContext',
        'registerRequestContext',
        'withRequestContext',
      ],
      '@tessera/oidc/register': [],
      context: 'function',
    });
  });

  test.each(['nodenext', 'bundler'])('is typed, for moduleResolution %s', async (resolution) => {
    writeFileSync(
      join(folder, 'stranger.ts'),
      `import { getOidcToken, verifyOidcToken, OidcVerificationError } from '@tessera/oidc';
import { awsCredentialsProvider } from '@tessera/oidc/aws';
import { honoRequestContext, withRequestContext } from '@tessera/oidc/request-context';
import { getIdentity, type PassportIdentity } from '@tessera/passport';

export const token: string = await getOidcToken({ audience: 'https://api.example' });
export const claims: { project_id: string } = await verifyOidcToken(token, {
  issuer: 'https://oidc.example/acme', audience: 'https://api.example', project: ['a'], environment: 'production',
});
export const identity: PassportIdentity | null = await getIdentity(new Headers());
export const expiration: Date = (await awsCredentialsProvider({})()).expiration;
export const listener = withRequestContext((request: { headers: Record<string, string> }) => request.headers);
export const middleware = honoRequestContext();
export const code = (error: unknown) => error instanceof OidcVerificationError && error.code === 'audience';
// @ts-expect-error: nothing may be left out
await verifyOidcToken(token, { issuer: 'https://oidc.example/acme' });
`,
    );
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: resolution === 'bundler' ? 'esnext' : resolution,
          moduleResolution: resolution,
          target: 'es2022',
          lib: ['es2022', 'dom', 'dom.iterable'],
          types: [],
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          skipLibCheck: false,
        },
        files: ['stranger.ts'],
      }),
    );
    const { stdout } = await run(folder, [join(root, 'node_modules', 'typescript', 'bin', 'tsc')]);
    expect(stdout).toBe('');
  });
});

/** One script, as a bundler makes it for a runtime that has these conditions. */
async function bundle(conditions: readonly string[]): Promise<string> {
  const entry = join(folder, 'entry.mjs');
  writeFileSync(
    entry,
    `import * as oidc from '@tessera/oidc';
import { awsCredentialsProvider } from '@tessera/oidc/aws';
import * as passport from '@tessera/passport';
export { oidc, passport, awsCredentialsProvider };`,
  );
  const build = await rolldown({
    input: entry,
    cwd: folder,
    resolve: { conditionNames: [...conditions, 'import'] },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'iife', name: 'bundle' });
  await build.close();
  return output[0].code;
}

/** Answers text: what is passed between two worlds has no classes in common. */
const check = `(async (text) => {
  const { oidc, passport } = bundle;
  const input = JSON.parse(text);
  const codeOf = (promise) => promise.then(() => 'none', (error) => error.code);
  const nothing = await codeOf(oidc.getOidcToken());
  globalThis[Symbol.for('@vercel/request-context')] = {
    get: () => ({ headers: { 'x-vercel-oidc-token': input.workload } }),
  };
  const claims = await oidc.verifyOidcToken(await oidc.getOidcToken(), input.trusted);
  const headers = new Headers({ 'x-vercel-oidc-passport-token': input.visitor });
  const identity = await passport.getIdentity(headers, input.accepted);
  const test = await codeOf(passport.getIdentity({}, { testIdentity: { externalSub: 'x' } }));
  return JSON.stringify({ nothing, project: claims.project, externalSub: identity.externalSub, test });
})`;

const onTheEdge = {
  nothing: 'no_token',
  project: 'shop',
  externalSub: 'staff|grace',
  test: 'test_identity_refused',
};

describe('without Node', () => {
  test('the edge runtime', async () => {
    const code = await bundle(['edge-light']);
    expect(code).not.toMatch(/node:|require\(/);
    const runtime = new EdgeVM();
    runtime.evaluate(code);
    runtime.context['text'] = JSON.stringify(await input());
    expect(runtime.evaluate('typeof process')).toBe('undefined');
    expect(JSON.parse(await runtime.evaluate<Promise<string>>(`${check}(text)`))).toEqual(onTheEdge);
  });

  test.each([
    ['workerd', ['workerd']],
    ['browser', ['browser']],
    ['none', []],
  ])('nothing but what the web has, condition %s', async (_name, conditions) => {
    const code = await bundle(conditions);
    expect(code).not.toMatch(/node:|require\(/);
    const web = { fetch, Headers, Response, URL, URLSearchParams, AbortSignal, AbortController, crypto };
    const rest = { CryptoKey, TextEncoder, TextDecoder, atob, btoa, setTimeout, clearTimeout };
    const context = createContext({ ...web, ...rest, Uint8Array, ArrayBuffer, structuredClone });
    runInContext(code, context);
    context['text'] = JSON.stringify(await input());
    expect(JSON.parse(await (runInContext(`${check}(text)`, context) as Promise<string>))).toEqual(onTheEdge);
  });
});
