import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoUpstream } from '../harness/echo-upstream.ts';
import type { Running } from '../../examples/listen.ts';
import { createVercelWorld, urls, type VercelWorld } from '../clients/vercel/vercel-world.ts';
import { root, run } from '../packages/packed.ts';
import { enterUserCode } from '../harness/device.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

describe('a linked project', { timeout: 60_000 }, () => {
  let upstream: Running;
  let world: VercelWorld;
  let machine: CommandLineMachine;
  beforeAll(async () => {
    upstream = await startEchoUpstream();
    world = await createVercelWorld(upstream.url);
    machine = createCommandLineMachine(world.hosts.environment, world.hosts.nodeArguments);
    const login = await machine.logIn(urls.origin, world.admin);
    if (login.status !== 0) throw new Error(login.stderr);
    writeFileSync(join(machine.work, '.gitignore'), 'node_modules\r\n!.vercel');
    const linked = await machine.run('link', 'site', '--team', 'acme');
    if (linked.status !== 0) throw new Error(linked.stderr);
  }, 120_000);
  afterAll(async () => {
    machine?.remove();
    await world?.close();
    await upstream?.close();
  });

  const path = (...parts: string[]) => join(machine.work, ...parts);
  const read = (...parts: string[]) => readFileSync(path(...parts), 'latin1');
  const codeOf = (stderr: string) => (JSON.parse(stderr) as { code: string }).code;
  const development = () => ({
    iss: `${urls.oidc}/acme`,
    environment: 'development',
    project_id: world.project.id,
  });

  test('is named by id in a folder that is not committed', async () => {
    expect(JSON.parse(read('.vercel', 'project.json'))).toEqual({
      projectId: world.project.id,
      orgId: world.team.id,
      projectName: 'site',
    });
    expect(read('.vercel', 'README.txt')).toContain('Do not commit');
    const ignored = 'node_modules\r\n!.vercel\r\n.vercel\r\n';
    expect(read('.gitignore')).toBe(ignored);
    await expect(machine.run('link', 'site', '--team', 'acme')).resolves.toMatchObject({ status: 0 });
    expect(read('.gitignore')).toBe(ignored);
  });

  test('that is not there is not linked', async () => {
    mkdirSync(path('empty'));
    const { status, stderr } = await machine.runIn(path('empty'), 'link', 'nobodys', '--team', 'acme');
    expect([status, codeOf(stderr)]).toEqual([1, 'not_found']);
    expect(existsSync(path('empty', '.vercel'))).toBe(false);
  });

  test('has its token in a file, where the rest stays to the byte', async () => {
    const before = '\xef\xbb\xbf# ours\r\nA="1\r\nVERCEL_OIDC_TOKEN=no"\r\n';
    writeFileSync(
      path('.env.local'),
      Buffer.from(
        `${before}export VERCEL_OIDC_TOKEN=old # why\r\nB=\xff\r\nVERCEL_OIDC_TOKEN=again\r\n`,
        'latin1',
      ),
      { mode: 0o644 },
    );
    const pulled = await machine.run('env', 'pull');
    expect(JSON.parse(pulled.stdout)).toEqual({ file: path('.env.local'), variable: 'VERCEL_OIDC_TOKEN' });
    const written = read('.env.local');
    const token = /export VERCEL_OIDC_TOKEN="([^"]+)"/.exec(written)?.[1] ?? '';
    expect(written).toBe(`${before}export VERCEL_OIDC_TOKEN="${token}" # why\r\nB=\xff\r\n`);
    expect(decodeJwt(token)).toMatchObject(development());
    expect(statSync(path('.env.local')).mode & 0o777).toBe(0o600);
    expect(read('.gitignore').split('\r\n')).toContain('.env.local');
    expect(pulled.stdout + pulled.stderr).not.toContain(token);
  });

  test('has its token in a new file, also from a folder below', async () => {
    mkdirSync(path('src'));
    const { status } = await machine.runIn(path('src'), 'env', 'pull', '.env');
    expect(status).toBe(0);
    expect(read('src', '.env')).toMatch(/^# Created by Tessera CLI\nVERCEL_OIDC_TOKEN="[\w.-]+"\n$/);
    expect(statSync(path('src', '.env')).mode & 0o777).toBe(0o600);
    expect(read('src', '.gitignore')).toBe('.env\n');
  });

  test('has its token in no file that a link points to', async () => {
    writeFileSync(path('victim'), 'mine\n');
    symlinkSync(path('victim'), path('.env.link'));
    const { status, stderr } = await machine.run('env', 'pull', '.env.link');
    expect([status, codeOf(stderr)]).toEqual([1, 'file_not_plain']);
    expect(read('victim')).toBe('mine\n');
  });

  test('has its token on standard output, for programs', async () => {
    const { stdout } = await machine.run('project', 'token');
    expect(decodeJwt(stdout.trim())).toMatchObject(development());
    const named = await machine.run('project', 'token', 'site', '--team=acme', '--format=json');
    expect(decodeJwt((JSON.parse(named.stdout) as { token: string }).token)).toMatchObject(development());
    const other = await machine.run('project', 'token', 'other');
    expect([other.status, other.stdout, codeOf(other.stderr)]).toEqual([1, '', 'not_found']);
  });

  test('that a file only claims to be is refused', async () => {
    mkdirSync(path('odd', '.vercel'), { recursive: true });
    for (const link of [
      '{',
      'null',
      '{"projectId":"prj_x"}',
      '{"projectId":"../../v2/user","orgId":"team_x"}',
      '{"projectId":"prj_x","orgId":["team_x"]}',
    ]) {
      writeFileSync(path('odd', '.vercel', 'project.json'), link);
      const { status, stderr } = await machine.runIn(path('odd'), 'env', 'pull');
      expect([status, codeOf(stderr)], link).toEqual([1, 'not_linked']);
    }
    expect(existsSync(path('odd', '.env.local'))).toBe(false);
  });

  describe('of a repository with several', () => {
    const entry = (directory: string, id: string, more: object = {}) => ({
      id,
      name: 'x',
      directory,
      ...more,
    });
    const writeRepository = (content: object) =>
      writeFileSync(path('repository', '.vercel', 'repo.json'), JSON.stringify(content));
    const mint = (...parts: string[]) => machine.runIn(path('repository', ...parts), 'project', 'token');
    const at = (...parts: string[]) => mkdirSync(path('repository', ...parts), { recursive: true });
    beforeAll(() => {
      at('.vercel');
      at('apps', 'site', 'src');
      at('apps', 'site-docs');
      const team = { orgId: world.team.id };
      writeRepository({
        remoteName: 'origin',
        projects: [entry('apps', 'prj_other', team), entry('./apps/site/', world.project.id, team)],
      });
    });

    test('is the one whose directory it is, the innermost', async () => {
      for (const parts of [
        ['apps', 'site'],
        ['apps', 'site', 'src'],
      ]) {
        const { stdout, stderr } = await mint(...parts);
        expect(stderr).toBe('');
        expect(decodeJwt(stdout.trim())).toMatchObject(development());
      }
      // A neighbour whose name begins alike is not in it.
      const other = await mint('apps', 'site-docs');
      expect([other.status, codeOf(other.stderr)]).toEqual([1, 'not_found']);
    });

    test('has its token beside its own code, and the repository stays as it is', async () => {
      const pulled = await machine.runIn(path('repository', 'apps', 'site'), 'env', 'pull');
      expect(pulled).toMatchObject({ status: 0 });
      expect(read('repository', 'apps', 'site', '.gitignore')).toBe('.env.local\n');
      expect(existsSync(path('repository', '.gitignore'))).toBe(false);
    });

    test('gives way to a link of the folder itself', async () => {
      at('apps', 'alone', '.vercel');
      writeFileSync(
        path('repository', 'apps', 'alone', '.vercel', 'project.json'),
        JSON.stringify({ projectId: world.project.id, orgId: world.team.id }),
      );
      expect(decodeJwt((await mint('apps', 'alone')).stdout.trim())).toMatchObject(development());
    });

    test.each([
      ['outside of all', []],
      ['between two of one place', ['apps', 'twice']],
    ])('is none %s', async (_, parts) => {
      at('apps', 'twice');
      const team = { orgId: world.team.id };
      writeRepository({
        projects: [entry('apps/twice', 'prj_a', team), entry('apps/twice', 'prj_b', team)],
      });
      const { status, stderr } = await mint(...parts);
      expect([status, codeOf(stderr)]).toEqual([1, 'not_linked']);
      expect(stderr).toContain('apps/twice');
    });

    test.each([
      '{',
      'null',
      '{"projects":{}}',
      '{"projects":[null]}',
      '{"projects":[{"directory":7,"id":"prj_x","orgId":"team_x"}]}',
      '{"projects":[{"directory":".","id":"../../v2/user","orgId":"team_x"}]}',
      '{"projects":[{"directory":".","id":"prj_x"}]}',
    ])('is none that a file only claims: %s', async (content) => {
      at('.vercel');
      writeFileSync(path('repository', '.vercel', 'repo.json'), content);
      const { status, stdout, stderr } = await mint();
      expect([status, stdout, codeOf(stderr)]).toEqual([1, '', 'not_linked']);
    });
  });

  test('and the login are read by the unmodified @vercel/oidc', async () => {
    const program = join(root, 'tests', 'clients', 'vercel', 'use-vercel-oidc.ts');
    const { stdout, stderr } = await run(
      machine.work,
      [...world.hosts.nodeArguments, program, 'get', '{}'],
      machine.environment,
    );
    expect(stderr).toBe('');
    expect(decodeJwt((JSON.parse(stdout) as { found: string }).found)).toMatchObject(development());
  });

  test('can be reached after a login with a code on another machine', async () => {
    const device = createCommandLineMachine(world.hosts.environment, world.hosts.nodeArguments);
    try {
      const { shown, finished } = device.beginDeviceLogin(urls.origin);
      const [, address = '', code = ''] = await shown;
      const page = await enterUserCode(world.admin.visitor, address, world.admin, code);
      await world.admin.visitor.submit(page, 'consent', {}, 'consent-allow');
      await expect(finished).resolves.toMatchObject({ status: 0 });
      await expect(device.run('whoami')).resolves.toMatchObject({ status: 0 });
    } finally {
      device.remove();
    }
  });
});
