import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../examples/listen.ts';
import type { Finding } from '../../packages/cli/src/doctor/index.ts';
import { root, run } from '../packages/packed.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

/** What the published package does, in a process of its own. */
const asked = `import('@vercel/passport').then(async ({ getIdentity }) => console.log(JSON.stringify((await getIdentity()) ?? null)))`;

describe('doctor app', { timeout: 60_000 }, () => {
  let machine: CommandLineMachine;
  beforeEach(() => {
    machine = createCommandLineMachine();
  });
  afterEach(() => machine.remove());

  const look = async (more: Readonly<Record<string, string>>, ...args: string[]) => {
    const { status, stdout, stderr } = await machine.runWith(more, 'doctor', 'app', ...args);
    return { status, stderr, findings: stdout === '' ? [] : (JSON.parse(stdout) as Finding[]) };
  };

  test.each<Record<string, string>>([
    {},
    { VERCEL_ENV: '' },
    { VERCEL_ENV: 'development' },
    { VERCEL_ENV: 'production' },
    { VERCEL_ENV: 'preview' },
    { VERCEL_ENV: 'staging' },
    { VERCEL: '1' },
    { VERCEL: '1', VERCEL_ENV: 'development' },
    { VERCEL_PASSPORT_DEV: '0' },
    { VERCEL_PASSPORT_DEV: 'false' },
    { VERCEL_PASSPORT_DEV: 'no' },
    { VERCEL_PASSPORT_DEV: '1' },
    { VERCEL_PASSPORT_DEV: '1', VERCEL_ENV: 'production' },
  ])('with %j says of the trap what the unmodified @vercel/passport does', async (environment) => {
    const { stdout } = await run(root, ['--input-type=module', '-e', asked], environment);
    const isInvented = stdout.includes('test-user');
    expect(isInvented || stdout.trim() === 'null', stdout).toBe(true);
    const { status, findings } = await look(environment, root);
    expect([status, findings.map(({ found }) => found)]).toEqual(
      isInvented ? [1, ['open']] : [0, ['closed']],
    );
  });

  test('cannot tell where the package is not installed, and runs nothing of the folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tessera-app-'));
    const { status, findings } = await look({}, folder);
    expect([status, findings.map(({ found }) => found)]).toEqual([0, ['unproven']]);
    mkdirSync(join(folder, 'node_modules', '@vercel', 'passport'), { recursive: true });
    expect((await look({}, folder)).findings.map(({ found }) => found)).toEqual(['open']);
    rmSync(folder, { recursive: true });
    const { status: missing, stderr } = await look({}, folder);
    expect([missing, (JSON.parse(stderr) as { code: string }).code]).toEqual([1, 'folder_missing']);
  });

  test('asks the app around the gateway', async () => {
    let answer = '{"name":"test-user"}';
    const app = await listen(
      createServer((_, response) => response.end(answer)),
      0,
    );
    const around = async () =>
      (await look({ VERCEL_ENV: 'production' }, root, '--url', app.url)).findings.map(({ found }) => found);
    expect(await around()).toEqual(['closed', 'open']);
    answer = '{"name":null}';
    expect(await around()).toEqual(['closed', 'unproven']);
    await app.close();
    expect(await around()).toEqual(['closed', 'unproven']);
    const { stderr } = await look({}, root, '--url', 'file:///etc/passwd');
    expect((JSON.parse(stderr) as { code: string }).code).toBe('url_invalid');
  });
});

test('doctor gateway says what is wrong with its arguments', async () => {
  const machine = createCommandLineMachine();
  for (const [args, code] of [
    [['docs.example.app'], 'url_invalid'],
    [['https://docs.example.app', '--decisions', '127.0.0.1:4002'], 'url_invalid'],
    [['https://docs.example.app', '--pass', 'secret-without-colon'], 'header_invalid'],
  ] as const) {
    const { status, stdout, stderr } = await machine.run('doctor', 'gateway', ...args);
    expect([status, stdout, (JSON.parse(stderr) as { code: string }).code]).toEqual([1, '', code]);
  }
  machine.remove();
});

test('doctor gateway reads what lets a request pass from a file, which no list of processes shows', async () => {
  const machine = createCommandLineMachine();
  const seen = new Set<string | undefined>();
  const page = await listen(
    createServer((request, response) => {
      seen.add(request.headers['x-pass']?.toString());
      response.end(JSON.stringify(request.rawHeaders));
    }),
    0,
  );
  writeFileSync(join(machine.work, 'headers'), 'X-Pass: from a file\n\nX-Other: 1\n');
  const { status } = await machine.run('doctor', 'gateway', page.url, '--pass', '@headers');
  expect([status, seen.has('from a file')]).toEqual([1, true]);
  const none = await machine.run('doctor', 'gateway', page.url, '--pass', '@none');
  expect((JSON.parse(none.stderr) as { code: string }).code).toBe('header_invalid');
  await page.close();
  machine.remove();
});

test('findings of the trust helper are JSON where that is asked for', async () => {
  const machine = createCommandLineMachine();
  const trust = (...args: string[]) => machine.run('trust', ...args);
  const issuer = 'https://oidc.example.com/acme';
  const wanted = ['--issuer', issuer, '--team', 'acme', '--project', 'shop', '--environment', 'production'];
  const { stdout: configuration } = await trust('print', 'azure', ...wanted);
  const file = join(machine.work, 'trust.json');
  writeFileSync(file, configuration);
  const sound = await trust('lint', 'azure', '--json', '--issuer', issuer, file);
  expect(sound.status).toBe(0);
  expect(JSON.parse(sound.stdout)).not.toContainEqual(expect.objectContaining({ severity: 'error' }));
  writeFileSync(file, configuration.replace('environment:production', 'environment:*'));
  const { status, stdout } = await trust('lint', 'azure', '--json', file);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ severity: 'error' }));
  machine.remove();
});
