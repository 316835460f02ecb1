import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifiers } from '../../packages/cli/src/trust/index.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

const oidc = 'https://oidc.example.com';
const audience = 'https://relying.example.com';
const clouds = Object.keys(verifiers);
const program = join(import.meta.dirname, '../../packages/cli/src/main.ts');

/** The command as a person runs it, with tokens that an instance minted; its issuer has the name that clouds demand. */
describe('the trust helper', () => {
  let world: FederationWorld;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-trust-'));
    world = await createFederationWorld('sqlite', { variables: { TESSERA_OIDC_URL: oidc } });
    await world.configure({ audiences: [audience] });
  });
  afterAll(async () => {
    await world?.tessera.close();
    rmSync(folder, { recursive: true, force: true });
  });

  // Not in step with this process: the instance lives here, and its connections want to be served meanwhile.
  const run = async (words: readonly string[], input = '') => {
    // What Node has read and compiled once is not read anew: half of what each of these many processes does.
    const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };
    const child = spawn(process.execPath, [program, 'trust', ...words], { env });
    const texts = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray());
    child.stdin.on('error', () => {}).end(input);
    const [status] = (await once(child, 'close')) as [number];
    const [stdout = '', stderr = ''] = (await Promise.all(texts)).map((parts) => parts.join(''));
    return { status, stdout, stderr };
  };
  const print = async (cloud: string, team: string, project: string, issuer = `${oidc}/acme`) => {
    const words = ['--issuer', issuer, '--team', team, '--project', project, '--environment', 'production'];
    const printed = await run([
      'print',
      cloud,
      ...words,
      '--audience',
      audience,
      '--account',
      '123456789012',
    ]);
    expect(printed.status, printed.stderr).toBe(0);
    const file = join(folder, `${cloud}.json`);
    writeFileSync(file, printed.stdout);
    return file;
  };
  const check = (cloud: string, file: string, token: string) =>
    run(['check', cloud, file, '--token-file', '-'], token);
  const mint = (environment: string) => world.mintToken(world.builderToken, { environment, audience });

  test.each(clouds)(
    'prints for %s what a production token passes and a preview token does not, on one line (federation-01, 02)',
    async (cloud) => {
      const [production, preview] = [await mint('production'), await mint('preview')];
      const file = await print(cloud, 'acme', 'shop');
      const passed = await check(cloud, file, production);
      expect([passed.status, passed.stdout]).toEqual([0, expect.not.stringContaining('FAIL')]);
      const refused = await check(cloud, file, preview);
      expect(refused.status).toBe(1);
      expect(refused.stdout.match(/^FAIL.*$/gm)).toEqual([expect.stringContaining('preview')]);
      for (const { stdout, stderr } of [passed, refused]) {
        expect(stdout + stderr).not.toContain(production.split('.')[2]);
        expect(stdout + stderr).not.toContain(preview.split('.')[2]);
      }
    },
  );

  describe('of a project with ids and the global issuer', () => {
    beforeAll(() => world.configure({ audiences: [audience], subjectForm: 'ids', issuerMode: 'global' }));
    afterAll(() => world?.configure({ audiences: [audience], subjectForm: 'names', issuerMode: 'team' }));

    test.each(clouds)('prints the same for %s', async (cloud) => {
      const file = await print(cloud, world.team.id, world.project.id, oidc);
      const passed = await check(cloud, file, await mint('production'));
      const linted = await run(['lint', cloud, file, '--issuer', oidc]);
      expect([passed.status, linted.status]).toEqual([0, 0]);
    });

    test('and what it prints for the issuer of the team does not pass', async () => {
      const file = await print('vault', world.team.id, world.project.id);
      const byTeam = await check('vault', file, await mint('production'));
      expect(byTeam.stdout.match(/^FAIL.*$/gm)).toEqual([expect.stringContaining('bound_issuer')]);
    });
  });

  test('the token for everybody does not pass, and says so on the line of the audience', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const refused = await check('azure', await print('azure', 'acme', 'shop'), token);
    expect(refused.stdout.match(/^FAIL.*$/gm)).toEqual([expect.stringContaining('[0].audiences')]);
  });

  test('bad input is an error in words with status 2, and repeats nothing of a token', async () => {
    const file = await print('vault', 'acme', 'shop');
    const noToken = await check('vault', file, 'eyJ-secret');
    expect([noToken.status, noToken.stderr]).toEqual([2, expect.stringContaining('holds no token')]);
    expect(noToken.stderr).not.toContain('eyJ-secret');
    const noFile = await run(['lint', 'vault', join(folder, 'nothing')]);
    expect([noFile.status, noFile.stderr]).toEqual([2, expect.stringContaining('ENOENT')]);
    expect(await run(['lint', 'oracle', file])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('expected one of'),
    });
    expect(await run(['check', 'vault', '-', '--token-file', '-'])).toMatchObject({ status: 2 });
  });
});
