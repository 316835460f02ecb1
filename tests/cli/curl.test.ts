import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { listen, type Running } from '../../examples/listen.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

const secretHeaders = /x-vercel-(?:protection-bypass|trusted-oidc-idp-token)/i;

describe('curl with the right token', { timeout: 60_000 }, () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let machine: CommandLineMachine;
  /** Somebody else's server: what it heard. */
  let evil: Running;
  const heard: string[] = [];
  /** Behind the gateway: it echoes, leads elsewhere, or takes its time. */
  let upstream: Running;
  const waiting: (() => void)[] = [];
  const url = { production: '', preview: '' };

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    evil = await listen(
      createServer((request, response) => {
        heard.push(JSON.stringify([request.url, request.rawHeaders]));
        response.end('evil');
      }),
      0,
    );
    upstream = await listen(
      createServer((request, response) => {
        if (request.url === '/elsewhere') {
          response.writeHead(302, { location: `${evil.url}/caught` }).end('moved');
        } else if (request.url === '/slow') {
          waiting.push(() => response.end('late'));
        } else {
          const headers = { ...request.headers };
          const { method, url: path } = request;
          const chunks: Buffer[] = [];
          request.on('data', (chunk: Buffer) => chunks.push(chunk));
          request.on('end', () =>
            response.end(
              JSON.stringify({ method, url: path, headers, body: Buffer.concat(chunks).toString() }),
            ),
          );
        }
      }),
      0,
    );
    for (const environment of ['production', 'preview'] as const) {
      const deployment = await world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: {
          projectId: 'site',
          environment,
          upstream: upstream.url.replace('localhost', '127.0.0.1'),
        },
      });
      url[environment] = new URL(deployment.url).origin;
    }
    machine = createCommandLineMachine({}, []);
    for (const done of [
      await machine.logIn(tessera.urls.origin, world.admin),
      await machine.run('link', 'site', '--team', 'acme'),
    ]) {
      if (done.status !== 0) throw new Error(done.stderr);
    }
  }, 120_000);
  afterAll(async () => {
    machine?.remove();
    await evil?.close();
    await upstream?.close();
    await world?.close();
    await tessera?.close();
  });

  const runWith =
    (more: Readonly<Record<string, string>>) =>
    (...args: string[]) =>
      machine.runWith(more, ...args);
  const curl = (...args: string[]) => machine.run('curl', ...args);
  const echoOf = (stdout: string) => JSON.parse(stdout) as Echo;
  const codeOf = (stderr: string) =>
    (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { code: string }).code;
  const bypasses = async () =>
    Object.values(
      (await world.call('protection-bypass.list', { params: { idOrName: 'site' }, query: { slug: 'acme' } }))
        .protectionBypass,
    );
  const records = async () =>
    (await world.call('audit-log.list', { query: { teamId: world.team.id, limit: 100 } })).records;
  const tokenOfLogin = () =>
    (JSON.parse(readFileSync(join(machine.loginFolder, 'auth.json'), 'utf8')) as { token: string }).token;

  test('a preview is called as the developer’s own project, for this host alone', async () => {
    const { status, stdout, stderr } = await curl(
      '/orders?a=1',
      '--environment=preview',
      '--',
      '-sS',
      '--json',
      '{"item":7}',
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(echoOf(stdout)).toMatchObject({ method: 'POST', url: '/orders?a=1', body: '{"item":7}' });
    // It is for the gateway; nothing of it reaches the deployment.
    expect(stdout).not.toMatch(secretHeaders);
    const minted = (await records()).find(({ after }) =>
      JSON.stringify(after).includes('"runtime":"development"'),
    );
    expect(minted?.after).toMatchObject({ audience: url.preview, environment: 'development' });
    expect(await bypasses()).toEqual([]);
  });

  test('production is called by a secret that ends with the command', async () => {
    const { status, stdout, stderr } = await curl('/health', '--', '-sS');
    expect([status, stderr]).toEqual([
      0,
      'Made a bypass secret for production, which ends with this command.\n',
    ]);
    expect(echoOf(stdout)).toMatchObject({ method: 'GET', url: '/health' });
    expect(stdout).not.toMatch(secretHeaders);
    expect(await bypasses()).toEqual([]);
    const actions = (await records()).map(({ action }) => action);
    expect(actions).toContain('protection-bypass.create');
    expect(actions).toContain('protection-bypass.revoke');
  });

  test('the secret in the environment is taken, and none is made', async () => {
    const { secret = '', id = '' } = await world.call('protection-bypass.update', {
      params: { idOrName: 'site' },
      body: { generate: { environments: ['production'] } },
    });
    const run = (value: string) =>
      runWith({ VERCEL_AUTOMATION_BYPASS_SECRET: value })('curl', '/', '--', '-sS');
    const passed = await run(secret);
    expect([passed.status, passed.stderr, echoOf(passed.stdout).url]).toEqual([0, '', '/']);
    expect((await bypasses()).map((bypass) => bypass.id)).toEqual([id]);
    const mistyped = await run(`${secret.slice(1)} `);
    expect([mistyped.status, codeOf(mistyped.stderr)]).toEqual([1, 'bypass_invalid']);
    expect(mistyped.stderr).not.toContain(secret.slice(1));
    await world.call('protection-bypass.update', {
      params: { idOrName: 'site' },
      body: { revoke: { secret: id } },
    });
    // One that has ended is not sent.
    const ended = await run(secret);
    expect([ended.status, ended.stderr]).toEqual([0, expect.stringContaining('Made a bypass secret')]);
  });

  test('a whole address, a deployment’s id, host and address are the same', async () => {
    const [newest] = (
      await world.call('deployments.list', { query: { projectId: 'site', environment: 'preview' } })
    ).deployments;
    for (const args of [
      [`${url.preview}/x`],
      ['/x', '--deployment', newest?.id ?? ''],
      ['/x', '--deployment', new URL(url.preview).hostname],
      ['/x', '--deployment', url.preview],
    ]) {
      const { status, stdout, stderr } = await curl(...args, '--', '-sS');
      expect([status, stderr, echoOf(stdout).headers['host']], args.join(' ')).toEqual([
        0,
        '',
        new URL(url.preview).host,
      ]);
    }
  });

  test('the REST API is called with the login', async () => {
    for (const target of [['--api', '/v2/user'], [`${tessera.urls.api}/v2/user`]]) {
      const { status, stdout, stderr } = await curl(...target, '--', '-sS');
      expect([status, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout)).toMatchObject({ user: { email: world.admin.email } });
    }
    for (const target of [
      ['--api', '/../login'],
      ['--api', '/..%2f../x\n'],
      ['--api', '//../../login'],
      ['--api', 'v2/user'],
    ]) {
      const { status, stderr } = await curl(...target);
      expect([status, codeOf(stderr)], target.join(' ')).toEqual([1, 'target_invalid']);
    }
  });

  test('nothing is sent where that is asked for; output and exit status are those of curl', async () => {
    const shown = await curl('/', '--send=nothing', '--', '-sS', '-o', '-', '-w', '%{http_code}');
    expect([shown.status, shown.stdout.slice(-3)]).toEqual([0, '401']);
    const failed = await curl('/', '--send', 'nothing', '--', '-sS', '--fail');
    expect(failed.status).toBe(22);
    const file = join(machine.work, 'page.json');
    const kept = await curl('/', '--environment', 'preview', '--', '-sSo', file);
    expect([kept.status, kept.stdout]).toEqual([0, '']);
    expect(echoOf(readFileSync(file, 'utf8')).url).toBe('/');
  });

  test('where nothing helps, it says what was tried', async () => {
    const { status, stdout, stderr } = await curl('/', '--send=trusted-source');
    expect([status, stdout, codeOf(stderr)]).toEqual([1, '', 'no_way_in']);
    expect(stderr).toContain('audience');
    const nowhere = await curl('/', '--environment=staging');
    expect([nowhere.status, codeOf(nowhere.stderr)]).toEqual([1, 'no_deployment']);
  });

  test('no token is among the arguments of a process', async () => {
    const bin = join(machine.work, 'bin');
    mkdirSync(bin, { recursive: true });
    const seen = join(machine.work, 'seen');
    writeFileSync(
      join(bin, 'curl'),
      `#!/bin/sh\nprintf '%s\\n' "$@" > '${seen}'\nenv >> '${seen}'\nexec /usr/bin/curl "$@"\n`,
    );
    chmodSync(join(bin, 'curl'), 0o755);
    const run = runWith({ PATH: `${bin}:${process.env['PATH']}` });
    for (const args of [['--api', '/v2/user'], ['/', '--environment=preview'], ['/']]) {
      const { status, stdout } = await run('curl', ...args, '--', '-sS', '-f');
      expect([status, stdout.length > 0]).toEqual([0, true]);
      const text = readFileSync(seen, 'utf8');
      expect(text.startsWith('-q\n--config\n/dev/fd/3\n-sS\n-f\n')).toBe(true);
      expect(text).not.toContain(tokenOfLogin());
      expect(text).not.toMatch(secretHeaders);
      expect(text).not.toMatch(/eyJ/);
    }
  });

  test('nor in what curl says of the request', async () => {
    for (const args of [['--api', '/v2/user'], ['/', '--environment=preview'], ['/']]) {
      const { status, stderr } = await curl(...args, '--', '-sv');
      expect(status).toBe(0);
      expect(stderr).toMatch(
        /^> (?:authorization: Bearer|Bearer|x-vercel-[a-z-]+:) ?\(hidden\)|: \(hidden\)/im,
      );
      expect(stderr).not.toContain(tokenOfLogin());
      expect(stderr).not.toMatch(/eyJ|protection-bypass: [0-9A-Za-z]{32}/);
    }
  });

  test('a redirect is shown, not followed', async () => {
    heard.length = 0;
    for (const environment of ['preview', 'production']) {
      const { status, stdout } = await curl('/elsewhere', '--environment', environment, '--', '-si');
      expect(status).toBe(0);
      expect(stdout).toMatch(/^HTTP\/1\.1 302/);
      expect(stdout.toLowerCase()).toContain(`location: ${evil.url}/caught`);
    }
    expect(heard).toEqual([]);
  });

  test('curl is told nothing that leads elsewhere, and nothing is made for a command that does not run', async () => {
    heard.length = 0;
    const before = (await records()).length;
    for (const args of [['-sL'], [`${evil.url}/`], ['--next', '--url', evil.url], ['-HHost: evil.example']]) {
      const { status, stdout, stderr } = await curl('/', '--', ...args);
      expect([status, stdout, codeOf(stderr)]).toEqual([1, '', 'curl_option_refused']);
    }
    expect(heard).toEqual([]);
    expect((await records()).length).toBe(before);
  });

  test('a line break in an argument makes no second header', async () => {
    const { status, stderr } = await curl('/', '--', '-H', 'X-One: 1\r\nHost: evil.example');
    expect([status, codeOf(stderr)]).toEqual([1, 'curl_option_refused']);
    for (const target of ['/a\nurl = "http://evil.example"', '/a"\\', `${url.preview}\n.evil.example/`]) {
      const refused = await curl(target);
      expect([refused.status, codeOf(refused.stderr)], target).toEqual([1, 'target_invalid']);
    }
    // Quotes are text in an address, and the configuration stays one line for each setting.
    const quoted = await curl('/q?a="b"&{c}[1-3]', '--environment=preview', '--', '-sS');
    expect(echoOf(quoted.stdout).url).toBe('/q?a=%22b%22&{c}[1-3]');
  });

  test('an authorization of one’s own is for deployments, not for the API', async () => {
    const own = await curl('/', '--environment=preview', '--', '-sS', '-u', 'a:b');
    expect(echoOf(own.stdout).headers['authorization']).toBe(`Basic ${btoa('a:b')}`);
    for (const args of [['-u', 'a:b'], ['-ua:b'], ['-H', 'Authorization: x'], ['--oauth2-bearer', 'x']]) {
      const { status, stderr } = await curl('--api', '/v2/user', '--', ...args);
      expect([status, codeOf(stderr)], args.join(' ')).toEqual([1, 'curl_option_refused']);
    }
  });

  test('other hosts get nothing', async () => {
    heard.length = 0;
    const stranger = new URL(url.preview);
    stranger.hostname = `nobodys.${stranger.hostname.split('.').slice(1).join('.')}`;
    for (const [target, code] of [
      [`${evil.url}/`, 'not_a_deployment'],
      [`${evil.url.replace('localhost', '127.0.0.1')}/`, 'not_a_deployment'],
      [`${tessera.urls.api}.evil.example/v2/user`, 'not_a_deployment'],
      [`${tessera.urls.origin}/oauth/authorize`, 'not_a_deployment'],
      [`${stranger.origin}/`, 'not_a_deployment'],
      // The right host at another service of the machine.
      [`http://${new URL(url.preview).hostname}:${new URL(evil.url).port}/`, 'target_invalid'],
      [`${url.preview.replace('http:', 'https:')}/`, 'target_invalid'],
      [`${url.preview.replace('//', '//a:b@')}/`, 'target_invalid'],
      [`ftp://${new URL(url.preview).host}/`, 'target_invalid'],
      ['site', 'target_invalid'],
    ] as const) {
      const { status, stdout, stderr } = await curl(target, '--', '-sS');
      expect([status, stdout, codeOf(stderr)], target).toEqual([1, '', code]);
    }
    expect(heard).toEqual([]);
  });

  test('a deployment of another team gets nothing', async () => {
    const other = await world.call('teams.create', { body: { slug: 'other', name: 'Other' } });
    const query = { teamId: other.id };
    await world.call('projects.create', { query, body: { name: 'theirs' } });
    const theirs = await world.call('deployments.create', {
      query,
      body: {
        projectId: 'theirs',
        environment: 'preview',
        upstream: evil.url.replace('localhost', '127.0.0.1'),
      },
    });
    heard.length = 0;
    const { status, stderr } = await curl(theirs.url);
    expect([status, codeOf(stderr)]).toEqual([1, 'not_a_deployment']);
    expect(heard).toEqual([]);
  });

  test('what lies about in folders is not read by curl', async () => {
    heard.length = 0;
    const lines = `location\nproxy = "${evil.url}"\nverbose\n`;
    const places = [join(machine.work, '.curlrc'), join(machine.environment['HOME'] ?? '', '.curlrc')];
    for (const place of places) writeFileSync(place, lines);
    const run = runWith({
      http_proxy: evil.url,
      HTTP_PROXY: evil.url,
      ALL_PROXY: evil.url,
    });
    const { status, stdout, stderr } = await run('curl', '/', '--environment=preview', '--', '-sS');
    expect([status, stderr, echoOf(stdout).url]).toEqual([0, '', '/']);
    expect(heard).toEqual([]);
    for (const place of places) rmSync(place);
  });

  test('the secret ends also when the command is interrupted, or when there is no curl', async () => {
    const running = machine.start('curl', '/slow', '--', '-sS');
    await vi.waitFor(() => expect(waiting).toHaveLength(1), { timeout: 20_000 });
    expect(await bypasses()).toHaveLength(1);
    running.kill('SIGTERM');
    const { status } = await running.finished;
    expect(status).toBe(128 + 15);
    expect(await bypasses()).toEqual([]);
    waiting.splice(0).forEach((answer) => answer());

    const without = join(machine.work, 'without-curl');
    mkdirSync(without);
    const missing = await runWith({ PATH: without })('curl', '/');
    expect([missing.status, codeOf(missing.stderr)]).toEqual([1, 'curl_missing']);
    await sleep(50);
    expect(await bypasses()).toEqual([]);
  });
});
