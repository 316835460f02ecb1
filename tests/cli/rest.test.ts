import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findText } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

describe('the REST API by commands', { timeout: 60_000 }, () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let machine: CommandLineMachine;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    machine = createCommandLineMachine();
    const login = await machine.logIn(tessera.urls.origin, world.admin);
    if (login.status !== 0) throw new Error(login.stderr);
  }, 120_000);
  afterAll(async () => {
    machine?.remove();
    await world?.close();
    await tessera?.close();
  });

  const codeOf = (stderr: string) => (JSON.parse(stderr) as { code: string }).code;
  const answerOf = async (...args: string[]): Promise<unknown> => {
    const { status, stdout, stderr } = await machine.run(...args);
    expect([status, stderr]).toEqual([0, '']);
    return stdout === '' ? undefined : JSON.parse(stdout);
  };

  test('records are made, read, listed, changed and deleted', async () => {
    const upstream = world.upstream.url.replace('localhost', '127.0.0.1');
    writeFileSync(
      join(machine.work, 'deployment.json'),
      JSON.stringify({ projectId: 'shop', environment: 'preview', upstream }),
    );
    const project = (await answerOf('projects', 'create', '--team', 'acme', '--data', '{"name":"shop"}')) as {
      id: string;
    };
    expect(await answerOf('projects', 'get', 'shop', '--team=acme')).toEqual(
      await world.call('projects.get', { params: { idOrName: project.id } }),
    );
    const made = (await answerOf(
      'deployments',
      'create',
      '--team',
      'acme',
      '--data',
      '@deployment.json',
    )) as { id: string; workloadSecret: string };
    expect(made.workloadSecret).toMatch(/^dws_/);
    expect(
      await answerOf('deployments', 'list', '--team=acme', '--project-id=shop', '--limit', '1'),
    ).toMatchObject({ deployments: [{ id: made.id }], pagination: { next: null } });
    expect(
      await answerOf(
        'projects',
        'update',
        project.id,
        '--team=acme',
        '--data',
        '{"ssoProtection":{"deploymentType":"all"}}',
      ),
    ).toMatchObject({ ssoProtection: { deploymentType: 'all' } });
    expect(await answerOf('deployments', 'delete', made.id, '--team=acme')).toBeUndefined();
    const gone = await machine.run('deployments', 'get', made.id, '--team=acme');
    expect([gone.status, gone.stdout, codeOf(gone.stderr)]).toEqual([1, '', 'not_found']);
  });

  test('the team is that of the linked project', async () => {
    const folder = join(machine.work, 'linked');
    mkdirSync(folder);
    await machine.runIn(folder, 'link', 'site', '--team', 'acme');
    const { stdout } = await machine.runIn(folder, 'projects', 'list');
    expect(
      (JSON.parse(stdout) as { projects: { name: string }[] }).projects.map(({ name }) => name),
    ).toContain('site');
    const nowhere = await machine.run('projects', 'list');
    expect([nowhere.status, codeOf(nowhere.stderr)]).toEqual([1, 'not_linked']);
  });

  test('what is refused is said in the words of the server, or before it is sent', async () => {
    for (const [args, code] of [
      [['projects', 'create', '--team=acme', '--data', '{"name":"x","colour":"red"}'], 'bad_request'],
      [['projects', 'get', 'nobodys', '--team=acme'], 'not_found'],
      [['projects', 'list', '--team=nobodys'], 'not_found'],
      // Only a browser can have logged in just now.
      [['projects', 'delete', 'site', '--team=acme'], 'fresh_authentication_required'],
      [['projects', 'get', '..', '--team=acme'], 'argument_invalid'],
      [['projects', 'create', '--team=acme', '--data', '{"name":secret'], 'data_invalid'],
      [['projects', 'create', '--team=acme', '--data', '@none.json'], 'file_unreadable'],
    ] as const) {
      const { status, stdout, stderr } = await machine.run(...args);
      expect([status, stdout, codeOf(stderr)], args.join(' ')).toEqual([1, '', code]);
      expect(stderr).not.toContain('secret');
    }
    // Called wrongly: what is missing is named, with the help.
    const without = await machine.run('deployments', 'list', '--team=acme');
    expect([without.status, without.stdout]).toEqual([1, '']);
    expect(without.stderr).toContain("required option '--project-id <value>' not specified");
  });

  test('signin explain shows where a sign-in stopped', async () => {
    const visitor = createVisitor();
    const login = await visitor.visit(`${world.deployment.url}/`);
    const cancelled = await visitor.follow(await visitor.submit(login, 'sign-in', {}, 'sign-in-cancel'));
    const reference = findText(cancelled.text, 'error-reference') ?? '';
    const text = await machine.run('signin', 'explain', reference, '--team=acme', '--format=text');
    expect([text.status, text.stderr]).toEqual([0, '']);
    expect(text.stdout).toMatch(new RegExp(`^passport ${reference}: failed\n`));
    expect(text.stdout).toMatch(/^20\S+Z {2}failed {2}/m);
    const json = (await answerOf('signin', 'explain', reference, '--team=acme')) as object;
    expect(json).toEqual(
      await world.call('sign-in-attempts.find', { query: { teamId: world.team.id, reference } }),
    );
    const unknown = await machine.run('signin', 'explain', 'ref_nobodys', '--team=acme');
    expect([unknown.status, codeOf(unknown.stderr)]).toEqual([1, 'not_found']);
  });
});
