import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMappedHosts, type MappedHosts } from '../clients/vercel/mapped-hosts.ts';
import { installPacked, root, run } from './packed.ts';
import { passportClaims, startSigningIssuer, workloadClaims, type SigningIssuer } from './signing-issuer.ts';

// Every sample of these pages, as it stands there, in a project that has the packed packages and nothing else.
const pages = ['packages/oidc/README.md', 'packages/passport/README.md', 'docs/guides/who-is-visiting.md'];
const samples = pages.flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => ({
    page,
    code,
  })),
);

const hosts = ['oidc.example', 'passport.example', 'api.example', 'sts.eu-central-1.amazonaws.com'];
const audience = 'https://id.example/acme';

let issuer: SigningIssuer;
let mapped: MappedHosts;
let folder: string;
let input: Record<string, string>;
beforeAll(async () => {
  issuer = await startSigningIssuer();
  issuer.answers.set('/orders', (request, response) => response.end(request.headers.authorization));
  issuer.answers.set('/', (_request, response) =>
    response.end(
      '<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>',
    ),
  );
  mapped = await startMappedHosts(hosts, Number(new URL(issuer.url).port));
  ({ folder } = await installPacked(['oidc', 'passport']));
  const workload = (more: object) =>
    issuer.sign(workloadClaims('https://oidc.example', { aud: audience, ...more }));
  const visitor = (more: object) =>
    issuer.sign(passportClaims('https://passport.example', { aud: `${audience}/site/production`, ...more }));
  input = {
    workload: await workload({}),
    site: await workload({ project: 'site', project_id: 'prj_site' }),
    preview: await workload({ environment: 'preview' }),
    visitor: await visitor({}),
    foreign: await visitor({ project: 'other', aud: `${audience}/other/production` }),
  };
}, 240_000);
afterAll(async () => {
  await mapped?.close();
  await issuer?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What is done with what a sample exports, and what has to come of it. */
const uses: Readonly<
  Record<string, { use: string; expected: unknown; environment?: Record<string, string> }>
> = {
  'packages/oidc/README.md 0': { use: 'sample.token === input.workload', expected: true },
  'packages/oidc/README.md 1': {
    use: '[(await sample.verify(input.workload)).sub, await codeOf(sample.verify(input.preview))]',
    expected: ['owner:acme:project:shop:environment:production', 'environment'],
  },
  'packages/oidc/README.md 2': {
    use: `await new Promise((resolve) => sample.server.listen(0, '127.0.0.1', async () => {
        const url = 'http://127.0.0.1:' + sample.server.address().port;
        const response = await fetch(url, { headers: { 'x-vercel-oidc-token': input.preview } });
        resolve(Number(await response.text()) === input.preview.length);
        sample.server.close();
      }))`,
    expected: true,
  },
  'packages/oidc/README.md 3': { use: '(await sample.credentials()).accessKeyId', expected: 'ASIA1' },
  'packages/passport/README.md 0': {
    use: `[await (await sample.answer(visit(input.visitor))).text(), (await sample.answer(visit())).status,
        await codeOf(sample.answer(visit(input.foreign)))]`,
    expected: ['Hello Grace Hopper', 401, 'audience'],
  },
  'packages/passport/README.md 1': {
    use: '[(await sample.verify(input.visitor)).externalSub, await codeOf(sample.verify(input.foreign))]',
    expected: ['staff|grace', 'project'],
  },
  'docs/guides/who-is-visiting.md 0': {
    use: '(await sample.whoAmI(visit())).externalSub',
    expected: 'me',
    environment: { NODE_ENV: 'development' },
  },
  'docs/guides/who-is-visiting.md 1': {
    use: '(await sample.answer.text()) === "Bearer " + input.workload',
    expected: true,
  },
  'docs/guides/who-is-visiting.md 2': {
    use: '[await sample.authenticate(bearer(input.site)), await sample.authenticate(bearer(input.preview)) ?? null]',
    expected: ['owner:acme:project:shop:environment:production', null],
  },
  'docs/guides/who-is-visiting.md 3': { use: '(await sample.credentials()).sessionToken', expected: 't' },
};

const names = samples.map(({ page }, index) => {
  const first = samples.findIndex((sample) => sample.page === page);
  return `${page} ${index - first}`;
});

describe('a sample of the documentation', { timeout: 60_000 }, () => {
  test('none is left out', () => {
    expect(names.toSorted()).toEqual(Object.keys(uses).toSorted());
  });

  test.each(names)('%s does what it says', async (name) => {
    const index = names.indexOf(name);
    const { use, expected, environment = {} } = uses[name] ?? { use: 'undefined', expected: name };
    writeFileSync(join(folder, `sample-${index}.ts`), samples[index]?.code ?? '');
    writeFileSync(
      join(folder, `use-${index}.mjs`),
      `import * as sample from './sample-${index}.ts';
const input = JSON.parse(process.env.INPUT);
const codeOf = (promise) => promise.then(() => 'none', (error) => error.code ?? String(error));
const visit = (token) => new Request('https://site.example/', { headers: token ? { 'x-vercel-oidc-passport-token': token } : {} });
const bearer = (token) => new Request('https://api.example/', { headers: { authorization: 'Bearer ' + token } });
console.log(JSON.stringify(${use}));`,
    );
    const { stdout, stderr } = await run(folder, [...mapped.nodeArguments, `use-${index}.mjs`], {
      ...mapped.environment,
      ...environment,
      INPUT: JSON.stringify(input),
      VERCEL_OIDC_TOKEN: input['workload'] ?? '',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  test('every one has the right types', async () => {
    samples.forEach(({ code }, index) => writeFileSync(join(folder, `sample-${index}.ts`), code));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2022',
          strict: true,
          noEmit: true,
          typeRoots: [join(root, 'node_modules', '@types')],
          types: ['node'],
        },
        files: samples.map((_, index) => `sample-${index}.ts`),
      }),
    );
    const { stdout } = await run(folder, [join(root, 'node_modules', 'typescript', 'bin', 'tsc')]);
    expect(stdout).toBe('');
  });
});
