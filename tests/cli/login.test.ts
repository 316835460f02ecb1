import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { listen } from '../../examples/listen.ts';
import { withLock } from '../../packages/cli/src/login/index.ts';
import { send } from '../harness/send.ts';
import { passSignInPages } from '../harness/sign-in.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

type Login = { origin: string; token: string; refreshToken: string; expiresAt: number };

describe('the login on a machine', { timeout: 60_000 }, () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  let machine: CommandLineMachine;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(() => tessera?.close());
  beforeEach(() => {
    machine = createCommandLineMachine();
  });
  afterEach(() => machine.remove());

  const authFile = () => join(machine.loginFolder, 'auth.json');
  const readLogin = () => JSON.parse(readFileSync(authFile(), 'utf8')) as Login;
  const replaceLogin = (more: object) =>
    writeFileSync(authFile(), JSON.stringify({ ...readLogin(), ...more }));
  const isAlive = async (token: string) =>
    (await send(`${tessera.urls.api}/v2/user`, { headers: { authorization: `Bearer ${token}` } })).status;

  test('is kept in files of its person alone, and ends with logout (federation-22)', async () => {
    const login = await machine.logIn(tessera.urls.origin, world.admin);
    expect(login).toMatchObject({ status: 0 });
    expect(JSON.parse(login.stdout)).toEqual({ email: world.admin.email, origin: tessera.urls.origin });
    expect(statSync(machine.loginFolder).mode & 0o777).toBe(0o700);
    expect(readdirSync(machine.loginFolder).toSorted()).toEqual(['auth.json', 'instance.json']);
    for (const file of ['auth.json', 'instance.json']) {
      expect(statSync(join(machine.loginFolder, file)).mode & 0o777, file).toBe(0o600);
    }
    const { origin, api, oidc } = tessera.urls;
    expect(JSON.parse(readFileSync(join(machine.loginFolder, 'instance.json'), 'utf8'))).toEqual({
      origin,
      api,
      oidc,
    });
    const { token, refreshToken, expiresAt } = readLogin();
    expect(login.stdout + login.stderr).not.toContain(token);
    expect(login.stdout + login.stderr).not.toContain(refreshToken);
    expect(expiresAt).toBeGreaterThan(Date.now() / 1000 + 60);
    const me = await machine.run('whoami');
    expect(JSON.parse(me.stdout)).toMatchObject({ email: world.admin.email, origin });
    await expect(machine.run('whoami', '--format=text')).resolves.toMatchObject({
      stdout: `${world.admin.email} at ${origin}\n`,
    });

    expect(await isAlive(token)).toBe(200);
    await expect(machine.run('logout')).resolves.toMatchObject({ status: 0 });
    expect(await isAlive(token)).toBe(401);
    expect(readdirSync(machine.loginFolder)).toEqual([]);
    const nobody = await machine.run('whoami');
    expect(nobody).toMatchObject({ status: 3, stdout: '' });
    expect(JSON.parse(nobody.stderr)).toMatchObject({ code: 'not_logged_in' });
  });

  test('waits for the answer that has its state, from its issuer, at its address', async () => {
    const { address, finished } = await machine.beginLogin(tessera.urls.origin);
    const answer = await passSignInPages(createVisitor(), address, world.admin);
    const changed = (name: string, value: string): URL => {
      const url = new URL(answer);
      url.searchParams.set(name, value);
      return url;
    };
    const state = answer.searchParams.get('state') ?? '';
    const twice = new URL(answer);
    twice.searchParams.append('state', state);
    for (const url of [
      changed('state', 'x'),
      changed('state', `${state}x`),
      changed('iss', 'https://evil.example'),
      twice,
    ]) {
      expect((await send(url)).status, url.search).toBe(400);
    }
    const rebound = await send(answer, { headers: { host: `evil.example:${answer.port}` } });
    expect(rebound.status).toBe(404);
    expect((await send(answer, { method: 'POST' })).status).toBe(404);
    expect((await send(answer)).status).toBe(200);
    await expect(finished).resolves.toMatchObject({ status: 0 });
  });

  describe('of a person in front of a screen', () => {
    /** Runs the login on a terminal; what an `xdg-open` in the path is called with stands in a file. */
    async function logInOnTerminal(more: Record<string, string>, ...args: string[]) {
      const [bin, opened] = [join(machine.work, 'bin'), join(machine.work, 'opened')];
      mkdirSync(bin, { recursive: true });
      writeFileSync(
        join(bin, 'xdg-open'),
        '#!/bin/sh\nprintf "%s\\n" "$#" "$1" > "$OPENED.new" && mv "$OPENED.new" "$OPENED"\n',
        {
          mode: 0o755,
        },
      );
      rmSync(opened, { force: true });
      const login = machine.beginLoginOnTerminal(tessera.urls.origin, args, {
        CI: '',
        DISPLAY: ':0',
        PATH: `${bin}:${process.env['PATH']}`,
        OPENED: opened,
        ...more,
      });
      const address = await login.shown;
      return { address, opened, end: login.end };
    }

    test('opens a browser with the address alone, and shows it all the same', async () => {
      const { address, opened, end } = await logInOnTerminal({});
      await vi.waitFor(() => expect(existsSync(opened)).toBe(true), { timeout: 10_000 });
      expect(readFileSync(opened, 'utf8')).toBe(`1\n${address}\n`);
      expect(address.startsWith(`${tessera.urls.origin}/oauth/authorize?`)).toBe(true);
      await end();
    });

    test.each([
      ['--no-browser', {}, ['--no-browser']],
      ['CI', { CI: 'true' }, []],
      ['no screen', { DISPLAY: '' }, []],
    ])('opens nothing with %s', async (_, more, args) => {
      const { opened, end } = await logInOnTerminal(more, ...args);
      await sleep(300);
      expect(existsSync(opened)).toBe(false);
      await end();
    });

    test('opens nothing without a terminal', async () => {
      const bin = join(machine.work, 'bin');
      mkdirSync(bin);
      writeFileSync(join(bin, 'xdg-open'), '#!/bin/sh\ntouch "$OPENED"\n', { mode: 0o755 });
      const opened = join(machine.work, 'opened');
      const piped = createCommandLineMachine({
        CI: '',
        DISPLAY: ':0',
        PATH: `${bin}:${process.env['PATH']}`,
        OPENED: opened,
      });
      await expect(piped.logIn(tessera.urls.origin, world.admin)).resolves.toMatchObject({ status: 0 });
      expect(existsSync(opened)).toBe(false);
      piped.remove();
    });
  });

  test('says so when it is refused', async () => {
    const { address, finished } = await machine.beginLogin(tessera.urls.origin);
    const back = new URL(address.searchParams.get('redirect_uri') ?? '');
    expect(back.hostname).toBe('127.0.0.1');
    back.searchParams.set('state', address.searchParams.get('state') ?? '');
    back.searchParams.set('iss', tessera.urls.origin);
    back.searchParams.set('error', 'access_denied');
    await send(back);
    const { status, stderr } = await finished;
    expect(status).toBe(1);
    expect(stderr).toContain('access_denied');
  });

  test('is renewed once by commands that run at the same time', async () => {
    await machine.logIn(tessera.urls.origin, world.admin);
    const before = readLogin();
    replaceLogin({ expiresAt: 1 });
    const all = await Promise.all([machine.run('whoami'), machine.run('whoami'), machine.run('whoami')]);
    expect(all.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(readLogin().refreshToken).not.toBe(before.refreshToken);
    expect(statSync(authFile()).mode & 0o777).toBe(0o600);
    // Had the first refresh token been used twice, the login would have ended.
    replaceLogin({ expiresAt: 1 });
    await expect(machine.run('whoami')).resolves.toMatchObject({ status: 0 });
  });

  test('that has ended is said to have ended, without its tokens', async () => {
    await machine.logIn(tessera.urls.origin, world.admin);
    replaceLogin({ expiresAt: 1, refreshToken: 'a-refresh-token-of-nobody' });
    const { status, stderr } = await machine.run('whoami');
    expect(status).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ code: 'login_refused' });
    expect(stderr).not.toContain('a-refresh-token-of-nobody');
  });

  test('goes to the instance that gave it alone, whatever has come to stand beside it', async () => {
    await machine.logIn(tessera.urls.origin, world.admin);
    const { origin, ...tokens } = readLogin();
    expect(origin).toBe(tessera.urls.origin);
    const seen: string[] = [];
    const server = createServer((request, response) => response.end(void seen.push(String(request.url))));
    const other = await listen(server, 0);
    const instanceFile = join(machine.loginFolder, 'instance.json');
    const instance = readFileSync(instanceFile, 'utf8');
    const failed = async (...args: string[]) => {
      const { status, stderr } = await machine.run(...args);
      return [status, (JSON.parse(stderr) as { code: string }).code];
    };
    writeFileSync(instanceFile, JSON.stringify({ origin: other.url, api: other.url }));
    for (const expiresAt of [tokens.expiresAt, 1]) {
      replaceLogin({ expiresAt });
      await expect(failed('whoami')).resolves.toEqual([3, 'not_logged_in']);
    }
    await expect(failed('logout')).resolves.toEqual([3, 'not_logged_in']);
    expect(seen).toEqual([]);
    await other.close();

    // What another program wrote over it stays, and is asked nowhere.
    writeFileSync(instanceFile, instance);
    writeFileSync(authFile(), JSON.stringify(tokens));
    await expect(failed('whoami')).resolves.toEqual([3, 'not_logged_in']);
    await expect(failed('logout')).resolves.toEqual([3, 'not_logged_in']);
    expect(JSON.parse(readFileSync(authFile(), 'utf8'))).toEqual(tokens);

    writeFileSync(authFile(), JSON.stringify({ origin, ...tokens, expiresAt: 1 }));
    await expect(machine.run('whoami')).resolves.toMatchObject({ status: 0 });
    expect(readLogin().origin).toBe(origin);
  });

  test('is read as a whole, while another one is being kept', async () => {
    await machine.logIn(tessera.urls.origin, world.admin);
    const instanceFile = join(machine.loginFolder, 'instance.json');
    const instance = readFileSync(instanceFile, 'utf8');
    const finished = await withLock(authFile(), async () => {
      writeFileSync(
        instanceFile,
        JSON.stringify({ origin: 'https://id.example', api: 'https://id.example' }),
      );
      const running = machine.run('whoami');
      await sleep(1_500);
      writeFileSync(instanceFile, instance);
      return { running };
    });
    await expect(finished.running).resolves.toMatchObject({ status: 0 });
  });

  test('that others can read is not used', async () => {
    await machine.logIn(tessera.urls.origin, world.admin);
    for (const file of ['auth.json', 'instance.json']) {
      chmodSync(join(machine.loginFolder, file), 0o644);
      const { status, stderr } = await machine.run('whoami');
      expect([status, (JSON.parse(stderr) as { code: string }).code]).toEqual([1, 'file_not_private']);
      chmodSync(join(machine.loginFolder, file), 0o600);
    }
    writeFileSync(authFile(), '{"token":"half of');
    const { stderr } = await machine.run('whoami');
    expect(stderr).not.toContain('half of');
  });

  test('goes to no host that does not speak for the origin', async () => {
    const said: Record<string, unknown> = {};
    const server = createServer((_, response) => response.end(JSON.stringify(said)));
    const running = await listen(server, 0);
    const origin = running.url;
    const whole = {
      issuer: origin,
      authorization_endpoint: `${origin}/oauth/authorize`,
      token_endpoint: `${origin}/api/login/oauth/token`,
      device_authorization_endpoint: `${origin}/api/login/oauth/device-authorization`,
      revocation_endpoint: `${origin}/api/login/oauth/token/revoke`,
    };
    try {
      for (const wrong of [
        { issuer: 'https://evil.example' },
        { token_endpoint: 'http://evil.example/login/oauth/token' },
        { token_endpoint: `${origin}/token` },
        { revocation_endpoint: 'https://evil.example/login/oauth/token/revoke' },
        { device_authorization_endpoint: undefined },
        { authorization_endpoint: 'https://evil.example/oauth/authorize' },
        // It says of itself that it is another.
        { workload_token_issuer: `${origin}/oidc` },
        { workload_token_issuer: 'http://evil.example' },
      ]) {
        Object.assign(said, whole, wrong);
        const { status, stderr } = await machine.run('login', '--url', origin);
        expect([status, (JSON.parse(stderr) as { code: string }).code]).toEqual([1, 'not_an_instance']);
      }
    } finally {
      await running.close();
    }
    for (const url of [
      'http://id.example.com',
      'https://a:b@id.example.com',
      'id.example.com',
      'https://x/?a',
    ]) {
      const { status, stderr } = await machine.run('login', '--url', url);
      expect([status, (JSON.parse(stderr) as { code: string }).code]).toEqual([1, 'url_invalid']);
    }
  });
});
