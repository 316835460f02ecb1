import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { createTesseraEnvironment } from '../harness/tessera-environment.ts';
import { createTestDatabase } from '../harness/test-databases.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The words of a script of package.json, one command after the other. */
function commandsOf(script: string): string[][] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return (scripts[script] ?? '').split(' && ').map((command) => command.split(' '));
}

test.for(['sqlite', 'postgres'] as const)(
  'what npm start runs serves documents, pages and all that pages ask for, on %s',
  { timeout: 120_000 },
  async (kind) => {
    for (const [, ...words] of commandsOf('prestart')) await run(process.execPath, words, { cwd: root });
    const [[command, ...words] = []] = commandsOf('start');
    expect(command).toBe('node');

    const database = await createTestDatabase(kind);
    const { folder, urls, variables } = await createTesseraEnvironment(database);
    const child = spawn(process.execPath, words, {
      cwd: root,
      env: { PATH: process.env['PATH'], ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      let complaints = '';
      child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
      const said: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        said.push(line);
        if (line.startsWith('listening')) break;
      }
      expect(said.at(-1), complaints).toBe(`listening: ${urls.origin}`);

      const discovery = await send(`${urls.origin}/.well-known/openid-configuration`);
      expect(discovery.json()).toMatchObject({ issuer: urls.origin });
      const page = await send(said[0]?.replace('set-up link: ', '') ?? '');
      expect([page.status, page.text]).toEqual([200, expect.stringContaining('<form')]);
      const style = await send(new URL(/href="([^"]+\.css)"/.exec(page.text)?.[1] ?? '', urls.origin).href);
      expect(style.headers['content-type']).toContain('text/css');
      const font = await send(
        new URL(/url\("?([^")]+\.woff2)/.exec(style.text)?.[1] ?? '', urls.origin).href,
      );
      expect(font.headers['content-type']).toBe('font/woff2');
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      rmSync(folder, { recursive: true, force: true });
      await database.remove();
    }
  },
);

test('a port that is taken is named with the setting that chose it', { timeout: 60_000 }, async () => {
  const database = await createTestDatabase('sqlite');
  const { folder, variables } = await createTesseraEnvironment(database);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const main = join(root, 'packages/server/src/main.ts');
  try {
    for (const name of ['TESSERA_LISTEN', 'TESSERA_OPERATIONS_LISTEN']) {
      const env = { PATH: process.env['PATH'], ...variables, [name]: address };
      await expect(run(process.execPath, [main, 'serve'], { env })).rejects.toThrow(
        `${address} is taken by another program; choose another in ${name}.`,
      );
    }
  } finally {
    taken.close();
    rmSync(folder, { recursive: true, force: true });
    await database.remove();
  }
});

test('what a start rests on is named when it is not there', { timeout: 60_000 }, async () => {
  const database = await createTestDatabase('sqlite');
  const { folder, variables } = await createTesseraEnvironment(database);
  const main = join(root, 'packages/server/src/main.ts');
  const masterKey = 'A'.repeat(43);
  const cases: [Record<string, string>, string][] = [
    [{ TESSERA_LISTEN: '192.0.2.1:4000' }, 'no address of this machine; give one of its own, or 0.0.0.0'],
    [
      { TESSERA_OPERATIONS_LISTEN: 'nohost.invalid:4001' },
      'this machine knows; give an address, such as 127',
    ],
    [
      { TESSERA_TLS_CERTIFICATES: '/none.pem:/none.key' },
      'TESSERA_TLS_CERTIFICATES /none.pem cannot be read',
    ],
    [
      { TESSERA_DATABASE_URL: 'postgres://me:hunter2@nohost.invalid/x', TESSERA_MASTER_KEY: masterKey },
      'The database cannot be used: getaddrinfo ENOTFOUND nohost.invalid. See TESSERA_DATABASE_URL.',
    ],
  ];
  try {
    for (const [changes, said] of cases) {
      const env = { PATH: process.env['PATH'], ...variables, ...changes };
      const failure: unknown = await run(process.execPath, [main, 'serve'], { env }).catch(
        (error: unknown) => error,
      );
      const { stderr } = failure as { stderr: string };
      expect(stderr).toContain(said);
      expect(stderr).not.toMatch(/hunter2|^ +at /m);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await database.remove();
  }
});
