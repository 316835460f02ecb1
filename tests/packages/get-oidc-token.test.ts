import {
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen, type Running } from '../../examples/listen.ts';
import {
  createFederationWorld,
  createProject,
  type FederationWorld,
} from '../federation/federation-world.ts';
import { logInCommandLine } from '../harness/command-line.ts';
import { createDeveloperMachine, type Asked, type DeveloperMachine } from './developer-machine.ts';
import { startSigningIssuer, workloadClaims, type SigningIssuer } from './signing-issuer.ts';

function tokenOf(asked: Asked): string {
  if ('tokens' in asked) return asked.tokens[0] ?? '';
  throw new Error(`no token, but ${asked.code}: ${asked.message}`);
}

// The server's part of this is tested on both databases: tests/sign-in/command-line.test.ts, tests/federation.
describe("a developer's machine", () => {
  let world: FederationWorld;
  let machine: DeveloperMachine;
  beforeAll(async () => {
    world = await createFederationWorld('sqlite');
  });
  afterAll(() => world?.tessera.close());
  beforeEach(async () => {
    machine = createDeveloperMachine(world.tessera.urls);
    machine.logIn(await logInCommandLine(world.tessera.urls, world.admin));
    machine.link({ projectId: world.project.id, orgId: world.team.id });
  });
  afterEach(() => machine.remove());

  const countMints = async (): Promise<number> => {
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id, limit: 100 } });
    return records.filter(({ action }) => action === 'workload-token.mint').length;
  };

  test('gets a development token of the linked project, and the same until it is over', async () => {
    const token = tokenOf(await machine.ask());
    expect(decodeJwt(token)).toMatchObject({
      iss: `${world.tessera.urls.oidc}/acme`,
      environment: 'development',
      project_id: world.project.id,
      runtime: 'development',
    });
    expect(tokenOf(await machine.ask())).toBe(token);
    // Less than an hour is left of it, so it is not enough for who needs a whole one, and neither is a new one.
    await expect(machine.ask({ expirationBufferMs: 3_600_000 })).resolves.toMatchObject({
      code: 'refresh_failed',
    });
  });

  test('asks once for all that ask at once', async () => {
    const before = await countMints();
    const asked = await machine.ask({ times: 25 });
    expect('tokens' in asked && new Set(asked.tokens).size).toBe(1);
    expect(await countMints()).toBe(before + 1);
  });

  // Group members could read a token of twelve hours elsewhere.
  test('federation-22: keeps it where nobody else can read it, whatever was there before', async () => {
    const folder = join(machine.data, 'com.vercel.oidc');
    mkdirSync(folder, { mode: 0o777 });
    chmodSync(folder, 0o777);
    const token = tokenOf(await machine.ask());
    const [file, ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect(file).toMatch(/^[0-9a-f]{64}\.json$/);
    const path = join(folder, String(file));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // One that others can read is not taken: it may be theirs.
    chmodSync(path, 0o640);
    const next = tokenOf(await machine.ask());
    expect(next).not.toBe(token);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // Nor is one behind a link.
    renameSync(path, join(machine.data, 'planted.json'));
    symlinkSync(join(machine.data, 'planted.json'), path);
    expect(tokenOf(await machine.ask())).not.toBe(next);
  });

  test('does not touch a folder that is a link', async () => {
    const elsewhere = join(machine.data, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(machine.data, 'com.vercel.oidc'));
    await expect(machine.ask()).resolves.toMatchObject({ code: 'file_not_private' });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test('federation-22: takes no login that others can read, and none behind a link', async () => {
    chmodSync(machine.authFile, 0o660);
    await expect(machine.ask()).resolves.toMatchObject({ code: 'file_not_private' });
    chmodSync(machine.authFile, 0o600);
    renameSync(machine.authFile, join(machine.data, 'auth.json'));
    symlinkSync(join(machine.data, 'auth.json'), machine.authFile);
    await expect(machine.ask()).resolves.toMatchObject({ code: 'file_not_private' });
  });

  test('renews a login that has expired, once, however many processes need it', async () => {
    const { token, refreshToken } = machine.readLogin();
    machine.logIn(
      { access_token: 'expired', refresh_token: String(refreshToken), expires_in: 0 },
      { expiresAt: 1 },
    );
    const asked = await Promise.all([machine.ask(), machine.ask(), machine.ask()]);
    for (const one of asked) expect(decodeJwt(tokenOf(one))).toMatchObject({ project: 'shop' });
    const renewed = machine.readLogin();
    expect(renewed.token).not.toBe(token);
    expect(renewed.refreshToken).not.toBe(refreshToken);
    expect(renewed.origin).toBe(world.tessera.urls.origin);
    expect(renewed.expiresAt).toBeGreaterThan(Date.now() / 1000 + 60);
    expect(statSync(machine.authFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(machine.data, 'com.vercel.cli')).toSorted()).toEqual([
      'auth.json',
      'instance.json',
    ]);
    // The login lives: a refresh token that was used twice would have ended it.
    rmSync(join(machine.data, 'com.vercel.oidc'), { recursive: true });
    expect(tokenOf(await machine.ask())).not.toBe('');
  });

  test('a login that has ended is said, and is left to the command line', async () => {
    const ended = { access_token: 'expired', refresh_token: 'vcr_unknown', expires_in: 0 };
    machine.logIn(ended, { expiresAt: 1 });
    const asked = await machine.ask();
    expect(asked).toMatchObject({ code: 'not_logged_in' });
    expect(JSON.stringify(asked)).not.toContain('vcr_unknown');
    expect(machine.readLogin().refreshToken).toBe('vcr_unknown');
    writeFileSync(machine.authFile, '{"token": "half of a');
    await expect(machine.ask()).resolves.toMatchObject({ code: 'not_logged_in' });
    rmSync(machine.authFile);
    await expect(machine.ask()).resolves.toMatchObject({ code: 'not_logged_in' });
  });

  test('whoever logs in next gets a token of their own', async () => {
    const first = tokenOf(await machine.ask());
    machine.logIn(await logInCommandLine(world.tessera.urls, world.admin));
    expect(tokenOf(await machine.ask())).not.toBe(first);
  });

  test('a variable that has expired is renewed, unless it is of another project', async () => {
    const issuer = await startSigningIssuer();
    const expired = (projectId: string) =>
      issuer.sign(workloadClaims(issuer.url, { exp: 1, project_id: projectId }));
    const renewed = await machine.ask({}, { VERCEL_OIDC_TOKEN: await expired(world.project.id) });
    expect(decodeJwt(tokenOf(renewed))).toMatchObject({ project: 'shop' });
    const other = await machine.ask({}, { VERCEL_OIDC_TOKEN: await expired('prj_other') });
    expect(other).toMatchObject({ code: 'project_mismatch' });
    await issuer.close();
  });

  test('a project by its name, in a team by its slug, and one that is not there', async () => {
    machine.link({ projectId: 'shop', orgId: 'acme' });
    expect(decodeJwt(tokenOf(await machine.ask()))).toMatchObject({ project_id: world.project.id });
    const asked = await machine.ask({ projectId: 'nothing', teamId: 'acme' });
    expect(asked).toMatchObject({
      code: 'refresh_failed',
      message: expect.stringContaining('nothing') as string,
    });
  });

  describe('a login is of one instance', () => {
    const seen: string[] = [];
    let other: Running;
    beforeAll(async () => {
      const server = createServer((request, response) => {
        seen.push(`${request.url} ${request.headers.authorization}`);
        const answer = { issuer: other.url, token_endpoint: `${other.url}/login/oauth/token` };
        response.end(JSON.stringify({ ...answer, token: 'x', access_token: 'x' }));
      });
      other = await listen(server, 0);
    });
    afterAll(() => other?.close());

    const refuse = async (options: object, variables: Record<string, string>) => {
      const { token, refreshToken } = machine.readLogin();
      for (const expiresAt of [Math.floor(Date.now() / 1000) + 3_600, 1]) {
        const login = { access_token: String(token), refresh_token: String(refreshToken), expires_in: 0 };
        machine.logIn(login, { expiresAt });
        const asked = await machine.ask(options, variables);
        expect(asked).toMatchObject({ code: 'not_logged_in' });
        expect(JSON.stringify(asked)).toContain('tessera-cli login');
        expect(JSON.stringify(asked)).not.toContain(token);
      }
      expect(machine.readLogin()).toMatchObject({ token, refreshToken });
      expect(seen).toEqual([]);
    };

    test.each(['TESSERA_PUBLIC_URL', 'TESSERA_ORIGIN_URL', 'TESSERA_API_URL', 'TESSERA_OIDC_URL'])(
      'whose tokens go to no other, which %s names',
      async (name) => {
        await refuse({}, { [name]: other.url });
        const asked = await machine.ask({}, { [name]: other.url });
        expect(JSON.stringify(asked)).toContain(`for ${world.tessera.urls.origin} `);
        expect(JSON.stringify(asked)).toContain(other.url);
      },
    );

    test('nor which options name, all or one of them', async () => {
      await refuse({ originUrl: other.url, apiUrl: other.url }, {});
      await refuse({ originUrl: other.url }, {});
      await refuse({ apiUrl: other.url }, {});
    });

    test('and which it is stands beside it: without that it is none, whatever is set', async () => {
      rmSync(machine.instanceFile);
      const { origin, api } = world.tessera.urls;
      for (const [originUrl, apiUrl] of [
        [other.url, other.url],
        [origin, api],
      ]) {
        await refuse({ originUrl, apiUrl }, {});
      }
      writeFileSync(machine.instanceFile, JSON.stringify({ origin: other.url }), { mode: 0o600 });
      await refuse({}, { TESSERA_API_URL: other.url });
    });

    test('also when the same instance is set', async () => {
      const { origin, api, oidc } = world.tessera.urls;
      tokenOf(await machine.ask({ originUrl: `${origin}/`, apiUrl: api, oidcUrl: oidc }));
    });

    test('and in the file with the tokens: they never stand beside the address of another', async () => {
      const there = { origin: other.url, api: other.url };
      writeFileSync(machine.instanceFile, JSON.stringify(there), { mode: 0o600 });
      await refuse({}, {});
      await refuse({}, { TESSERA_PUBLIC_URL: other.url, TESSERA_API_URL: other.url });
    });

    test('and what Vercel’s own software logs in at is not ours', async () => {
      const { origin: _, ...login } = machine.readLogin();
      writeFileSync(machine.authFile, JSON.stringify(login), { mode: 0o600 });
      const asked = await machine.ask();
      expect(asked).toMatchObject({ code: 'not_logged_in' });
      expect(JSON.stringify(asked)).toContain('https://vercel.com');
    });
  });

  // The folder came with the code: it names a project, and leads nowhere else.
  test('a link that is none of ours is not asked for', async () => {
    const seen: string[] = [];
    const spy = await listen(
      createServer((request, response) => {
        seen.push(String(request.url));
        response.writeHead(200).end('{}');
      }),
      0,
    );
    for (const projectId of ['../../v2/user?', 'a/b', '%2e%2e', '', 'prj_1#', 7]) {
      machine.link({ projectId: projectId as string, orgId: world.team.id });
      await expect(machine.ask({ apiUrl: spy.url, originUrl: spy.url })).resolves.toMatchObject({
        code: 'no_token',
      });
    }
    machine.link({ projectId: world.project.id, orgId: '../x' });
    await expect(machine.ask({ apiUrl: spy.url })).resolves.toMatchObject({ code: 'no_token' });
    writeFileSync(
      join(machine.work, '.vercel', 'project.json'),
      JSON.stringify({ projectId: world.project.id, orgId: world.team.id, api: spy.url, origin: spy.url }),
    );
    tokenOf(await machine.ask());
    expect(seen).toEqual([]);
    await spy.close();
  });

  test('nothing at all: the message names every source', async () => {
    rmSync(join(machine.work, '.vercel'), { recursive: true });
    const asked = await machine.ask();
    expect(asked).toMatchObject({ code: 'no_token' });
    for (const name of [
      'VERCEL_OIDC_TOKEN_FILE',
      'VERCEL_OIDC_TOKEN',
      'x-vercel-oidc-token',
      'tessera-cli link',
    ]) {
      expect(JSON.stringify(asked)).toContain(name);
    }
  });

  test('the answer of a redirect is no token, and where it leads sees none', async () => {
    const seen: string[] = [];
    const thief = await listen(
      createServer((request, response) => {
        seen.push(String(request.headers.authorization));
        response.writeHead(200).end('{}');
      }),
      0,
    );
    const door = await listen(
      createServer((_request, response) => response.writeHead(307, { location: thief.url }).end()),
      0,
    );
    const there = createDeveloperMachine({ ...world.tessera.urls, api: door.url });
    there.logIn(await logInCommandLine(world.tessera.urls, world.admin));
    there.link({ projectId: world.project.id });
    await expect(there.ask()).resolves.toMatchObject({ code: 'refresh_failed' });
    expect(seen).toEqual([]);
    there.remove();
    await Promise.all([thief.close(), door.close()]);
  });
});

describe('other sources, and other audiences', () => {
  let world: FederationWorld;
  let machine: DeveloperMachine;
  let issuer: SigningIssuer;
  let token: string;
  beforeAll(async () => {
    world = await createFederationWorld('sqlite');
    issuer = await startSigningIssuer();
    await world.call('projects.update', {
      params: { idOrName: world.project.name },
      query: { teamId: world.team.id },
      body: {
        oidcTokenConfig: { enabled: true, issuerMode: 'team', audiences: ['https://api.shop.example'] },
      },
    });
    token = await world.mintToken(world.builderToken, { environment: 'production' });
  });
  beforeEach(() => {
    machine = createDeveloperMachine(world.tessera.urls);
  });
  afterEach(() => machine.remove());
  afterAll(async () => {
    await issuer?.close();
    await world?.tessera.close();
  });

  const sign = (more = {}) => issuer.sign(workloadClaims(issuer.url, more));
  const oidc = () => ({ TESSERA_OIDC_URL: world.tessera.urls.oidc });

  test('the file comes first, is read anew each time, and is never replaced by a login', async () => {
    const path = join(machine.data, 'token');
    const variables = { VERCEL_OIDC_TOKEN_FILE: path, VERCEL_OIDC_TOKEN: token };
    await expect(machine.ask({}, variables)).resolves.toMatchObject({ code: 'token_file_unreadable' });
    writeFileSync(path, ' \n');
    await expect(machine.ask({}, variables)).resolves.toMatchObject({ code: 'token_file_unreadable' });
    const inFile = await sign();
    writeFileSync(path, `${inFile}\n`);
    expect(tokenOf(await machine.ask({}, variables))).toBe(inFile);
    machine.logIn(await logInCommandLine(world.tessera.urls, world.admin));
    machine.link({ projectId: world.project.id, orgId: world.team.id });
    writeFileSync(path, await sign({ exp: Math.floor(Date.now() / 1000) + 20 }));
    await expect(machine.ask({}, variables)).resolves.toMatchObject({ code: 'token_expired' });
    expect(tokenOf(await machine.ask({ expirationBufferMs: 0 }, variables))).not.toBe('');
    writeFileSync(path, 'no token');
    await expect(machine.ask({}, variables)).resolves.toMatchObject({ code: 'token_malformed' });
  });

  test('the variable of another wire prefix', async () => {
    const variables = { ACME_OIDC_TOKEN: token };
    expect(tokenOf(await machine.ask({ wirePrefix: 'acme' }, variables))).toBe(token);
    expect(tokenOf(await machine.ask({}, { ...variables, TESSERA_WIRE_PREFIX: 'acme' }))).toBe(token);
    await expect(machine.ask({}, variables)).resolves.toMatchObject({ code: 'no_token' });
  });

  test('federation-07: an audience that the project lists, and none that it does not', async () => {
    const variables = { VERCEL_OIDC_TOKEN: token, ...oidc() };
    const asked = await machine.ask({ audience: 'https://api.shop.example', times: 10 }, variables);
    expect('tokens' in asked && new Set(asked.tokens).size).toBe(1);
    const exchanged = tokenOf(asked);
    expect(decodeJwt(exchanged)).toMatchObject({
      aud: 'https://api.shop.example',
      environment: 'production',
      project: 'shop',
    });
    const refused = await machine.ask({ audience: 'https://evil.example' }, variables);
    expect(refused).toMatchObject({
      code: 'exchange_failed',
      message: expect.stringContaining('invalid_target') as string,
    });
    // One hop only, so whoever is shown an exchanged token cannot take it further.
    const again = await machine.ask(
      { audience: 'https://api.shop.example' },
      { ...variables, VERCEL_OIDC_TOKEN: exchanged },
    );
    expect(again).toMatchObject({ code: 'exchange_failed' });
    expect(JSON.stringify([refused, again])).not.toContain(token.slice(0, 40));
  });

  // Whoever can name the issuer of a token would otherwise be sent it, or choose what we call.
  test('where to exchange is configuration, never what a token says', async () => {
    const forged = await sign({ iss: `${issuer.url}/acme` });
    await expect(
      machine.ask({ audience: 'https://api.shop.example' }, { VERCEL_OIDC_TOKEN: forged }),
    ).resolves.toMatchObject({ code: 'not_configured' });
    await expect(
      machine.ask({ audience: 'https://api.shop.example' }, { VERCEL_OIDC_TOKEN: forged, ...oidc() }),
    ).resolves.toMatchObject({ code: 'exchange_failed' });
    expect(issuer.asked.size).toBe(0);
  });

  test('an answer that is not for the audience, or leads elsewhere, is refused', async () => {
    const other = await sign({ aud: 'https://other.example' });
    const answers: Record<string, [number, Record<string, string>, string]> = {
      '/other/~token': [200, {}, JSON.stringify({ token: other, expiry: 9_999_999_999 })],
      '/none/~token': [200, {}, '{}'],
      '/html/~token': [200, {}, '<html>'],
      '/moved/~token': [307, { location: `${issuer.url}/thief` }, ''],
    };
    for (const [path, [status, headers, body]] of Object.entries(answers)) {
      issuer.answers.set(path, (_request, response) => response.writeHead(status, headers).end(body));
      const asked = await machine.ask(
        { audience: 'https://api.shop.example', oidcUrl: `${issuer.url}${path.replace('/~token', '')}` },
        { VERCEL_OIDC_TOKEN: token },
      );
      expect(asked).toMatchObject({ code: 'exchange_failed' });
    }
    expect(issuer.asked.get('/thief')).toBeUndefined();
  });

  test.each<[object, Record<string, string>]>([
    [{ audience: '' }, {}],
    [{ audience: '//iam.googleapis.com/x', subjectTokenType: 'x', transporter: {} }, {}],
    [{ expirationBufferMs: -1 }, {}],
    [{ wirePrefix: 'A' }, {}],
    [{ oidcUrl: 'http://oidc.example', audience: 'a' }, {}],
    [{ audience: 'a' }, { TESSERA_OIDC_URL: 'https://user:secret@oidc.example' }],
    [{ audience: 'a' }, { TESSERA_PUBLIC_URL: 'ftp://oidc.example' }],
  ])('options %j with %j are refused', async (options, variables) => {
    await expect(machine.ask(options, { VERCEL_OIDC_TOKEN: token, ...variables })).resolves.toMatchObject({
      code: 'option',
    });
  });

  test('a project of another team cannot be had by naming it', async () => {
    const globex = await world.call('teams.create', { body: { slug: 'globex', name: 'Globex' } });
    const theirs = await createProject(world.call, globex.id, 'theirs');
    machine.logIn(await logInCommandLine(world.tessera.urls, world.admin));
    const asked = await machine.ask({ projectId: theirs.id, teamId: 'acme' });
    expect(asked).toMatchObject({ code: 'refresh_failed' });
  });
});
