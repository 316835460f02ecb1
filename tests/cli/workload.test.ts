import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { WorkloadIdentityCredential } from '@azure/identity';
import { ExternalAccountClient } from 'google-auth-library';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { listen } from '../../examples/listen.ts';
import { startEntra, startGoogleTokenService } from '../clients/clouds/token-services.ts';
import { startMappedHosts } from '../clients/vercel/mapped-hosts.ts';
import { createFederationWorld, type FederationWorld } from '../federation/federation-world.ts';
import { findFreePort } from '../harness/free-port.ts';
import { root } from '../packages/packed.ts';
import { createCommandLineMachine, type CommandLineMachine } from './command-line-machine.ts';

const program = join(root, 'packages', 'cli', 'src', 'main.ts');
const googleAudience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/t';
const azureAudience = 'api://AzureADTokenExchange';

describe('the token of the workload that this runs in', { timeout: 60_000 }, () => {
  let world: FederationWorld;
  let machine: CommandLineMachine;
  let endpoint: string;
  let deployment: { id: string; workloadSecret: string };
  let beside: Record<string, string>;

  beforeAll(async () => {
    const port = await findFreePort();
    endpoint = `http://127.0.0.1:${port}`;
    world = await createFederationWorld('sqlite', {
      variables: { TESSERA_WORKLOAD_LISTEN: `127.0.0.1:${port}` },
    });
    await world.configure({ audiences: ['sts.amazonaws.com', googleAudience, azureAudience] });
    deployment = await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: { projectId: world.project.id, environment: 'production', upstream: 'http://127.0.0.1:9' },
    });
    beside = { TESSERA_WORKLOAD_ENDPOINT: endpoint, TESSERA_WORKLOAD_SECRET: deployment.workloadSecret };
  });
  afterAll(() => world?.tessera.close());
  beforeEach(() => {
    machine = createCommandLineMachine();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    machine.remove();
  });

  const ask = (more: Readonly<Record<string, string>>, ...args: string[]) =>
    machine.runWith(more, 'workload', 'token', ...args);
  const codeOf = (stderr: string) => (JSON.parse(stderr) as { code: string }).code;
  const path = (...parts: string[]) => join(machine.work, ...parts);
  const ofDeployment = () => ({
    deployment_id: deployment.id,
    environment: 'production',
    runtime: 'function',
  });

  describe('beside a running deployment', () => {
    test('is printed alone, or with its end', async () => {
      const alone = await ask(beside);
      expect([alone.status, alone.stderr]).toEqual([0, '']);
      expect(decodeJwt(alone.stdout.trim())).toMatchObject({
        ...ofDeployment(),
        aud: `${world.tessera.urls.origin}/acme`,
      });
      const json = await ask(beside, '--json', '--audience', 'sts.amazonaws.com');
      const { token, expiresAt } = JSON.parse(json.stdout) as { token: string; expiresAt: number };
      const claims = decodeJwt(token);
      expect(claims).toMatchObject({ ...ofDeployment(), aud: 'sts.amazonaws.com' });
      expect(expiresAt).toBe((claims.exp ?? 0) * 1000);
    });

    test('comes by a socket as well, and the secret by a file', async () => {
      // The socket of a stand-in: what the request looks like there. The real one is asked in runtime-tokens.test.ts.
      const seen: IncomingMessage[] = [];
      const server = createServer((request, response) => {
        seen.push(request);
        response.end(JSON.stringify({ token: 'eyJ.eyJ.x', expiresAt: Date.now() + 60_000 }));
      });
      const socket = path('workload.sock');
      server.listen(socket);
      await once(server, 'listening');
      writeFileSync(path('secret'), `${deployment.workloadSecret}\n`, { mode: 0o440 });
      symlinkSync(path('secret'), path('mounted'));
      try {
        const { status, stdout } = await ask(
          { TESSERA_WORKLOAD_SECRET_FILE: path('mounted') },
          '--endpoint',
          `unix:${socket}`,
          '--audience',
          'a b&format=text',
        );
        expect([status, stdout]).toEqual([0, 'eyJ.eyJ.x\n']);
        const [request] = seen;
        expect(request?.url).toBe('/token?audience=a%20b%26format%3Dtext');
        expect(request?.headers).toMatchObject({
          host: 'localhost',
          authorization: `Bearer ${deployment.workloadSecret}`,
        });
      } finally {
        server.close();
      }
    });

    test('is refused in the words of the instance, without the secret', async () => {
      for (const [more, args, code] of [
        [{ ...beside, TESSERA_WORKLOAD_SECRET: 'dws_wrong' }, [], 'workload_secret_refused'],
        [beside, ['--audience', 'https://elsewhere.example'], 'invalid_target'],
        [{ TESSERA_WORKLOAD_ENDPOINT: endpoint }, [], 'secret_missing'],
        [{ ...beside, TESSERA_WORKLOAD_SECRET: 'a\nb' }, [], 'secret_missing'],
        [{ ...beside, TESSERA_WORKLOAD_ENDPOINT: 'unix:/nowhere.sock' }, [], 'not_reached'],
        [{ ...beside, TESSERA_WORKLOAD_ENDPOINT: world.tessera.urls.origin }, [], 'endpoint_answer'],
        [beside, ['--keep'], 'options_conflict'],
      ] as const) {
        const { status, stdout, stderr } = await ask(more, ...args);
        expect([status, stdout, codeOf(stderr)]).toEqual([1, '', code]);
        expect(stderr).not.toContain(deployment.workloadSecret);
        expect(stderr).not.toContain('dws_wrong');
      }
    });

    test('is asked for on this machine alone', async () => {
      for (const place of [
        'http://evil.example',
        'http://127.0.0.1.evil.example',
        'http://localhost.evil.example:80',
        'http://127.0.0.1@evil.example',
        'http://127.0.0.1:1/path',
        'http://127.0.0.1:1?x',
        'https://127.0.0.1:1',
        'http://0.0.0.0:1',
        'http://169.254.169.254',
        'unix:relative.sock',
        'unix:',
        'workload.sock',
      ]) {
        const { status, stdout, stderr } = await ask({ ...beside, TESSERA_WORKLOAD_ENDPOINT: place });
        expect([status, stdout, codeOf(stderr)], place).toEqual([1, '', 'endpoint_invalid']);
      }
    });

    test('follows no redirect with the secret', async () => {
      const heard: string[] = [];
      const evil = await listen(
        createServer((request, response) => {
          heard.push(request.headers.authorization ?? '');
          response.end('{}');
        }),
        0,
      );
      const moved = await listen(
        createServer((_, response) => response.writeHead(302, { location: `${evil.url}/token` }).end()),
        0,
      );
      const { status, stderr } = await ask({ ...beside, TESSERA_WORKLOAD_ENDPOINT: moved.url });
      expect([status, codeOf(stderr), heard]).toEqual([1, 'endpoint_answer', []]);
      await moved.close();
      await evil.close();
    });

    test('takes no secret from a file that everybody can read', async () => {
      writeFileSync(path('secret'), deployment.workloadSecret);
      for (const mode of [0o644, 0o604, 0o602]) {
        chmodSync(path('secret'), mode);
        const { status, stderr } = await ask(
          { TESSERA_WORKLOAD_ENDPOINT: endpoint },
          '--secret-file',
          path('secret'),
        );
        expect([status, codeOf(stderr)]).toEqual([1, 'secret_file']);
      }
      const none = await ask({ TESSERA_WORKLOAD_ENDPOINT: endpoint }, '--secret-file', path('none'));
      expect(codeOf(none.stderr)).toBe('secret_file');
    });
  });

  describe('in a file', () => {
    test('is written as a whole, for one’s own eyes, to the byte', async () => {
      writeFileSync(path('token'), 'old, and longer than any token', { mode: 0o644 });
      const { status, stdout, stderr } = await ask(beside, '--file', 'token');
      expect([status, stdout]).toEqual([0, '']);
      expect(stderr).toMatch(/^Wrote a token to token, good until 20\d\d-/);
      const written = readFileSync(path('token'), 'utf8');
      expect(written).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      expect(stderr).not.toContain(written);
      expect(decodeJwt(written)).toMatchObject(ofDeployment());
      expect(statSync(path('token')).mode & 0o777).toBe(0o600);
      expect(readdirSync(machine.work)).toEqual(['token']);
    });

    test('that is a link or a folder is refused, and stays', async () => {
      writeFileSync(path('victim'), 'mine');
      symlinkSync(path('victim'), path('link'));
      mkdirSync(path('folder'));
      for (const file of ['link', 'folder']) {
        const { status, stderr } = await ask(beside, '--file', file);
        expect([status, codeOf(stderr)], file).toEqual([1, 'file_not_plain']);
      }
      expect(readFileSync(path('victim'), 'utf8')).toBe('mine');
      const nowhere = await ask(beside, '--file', 'none/token');
      expect([nowhere.status, codeOf(nowhere.stderr)]).toEqual([1, 'file_not_written']);
    });

    test('is kept fresh, also over failures; whoever reads it always finds a whole one', async () => {
      let answers = 0;
      const server = await listen(
        createServer((_, response) => {
          answers++;
          if (answers === 2) {
            response.writeHead(503).end('{}');
            return;
          }
          const token = `eyJ.${'a'.repeat(50_000)}.${answers}`;
          response.end(JSON.stringify({ token, expiresAt: Date.now() + 1_000 }));
        }),
        0,
      );
      const keeping = machine.startWith(
        { ...beside, TESSERA_WORKLOAD_ENDPOINT: server.url },
        'workload',
        'token',
        '--file',
        'token',
        '--keep',
      );
      const seen = new Set<string>();
      await vi.waitFor(
        () => {
          const text = readFileSync(path('token'), 'utf8');
          expect(text).toMatch(/^eyJ\.a{50000}\.\d$/);
          seen.add(text.slice(-1));
          expect(seen.size).toBeGreaterThan(1);
        },
        { timeout: 30_000, interval: 5 },
      );
      keeping.kill('SIGTERM');
      const { stderr } = await keeping.finished;
      expect([...seen]).toEqual(['1', '3']);
      expect(stderr).toContain('Not renewed (endpoint_answer)');
      expect(readdirSync(machine.work)).toEqual(['token']);
      await server.close();
    });

    test('is what Azure’s SDK reads: the command of the guide', async () => {
      const guide = readFileSync(join(root, 'docs/guides/workload-tokens.md'), 'utf8');
      const [, command = ''] = /^ *tessera-cli (workload token .*--keep)$/m.exec(guide) ?? [];
      const { oidc } = world.tessera.urls;
      const [tenant, client] = [
        '11111111-2222-3333-4444-555555555555',
        '66666666-7777-8888-9999-000000000000',
      ];
      const entra = await startEntra(tenant, client, {
        issuer: `${oidc}/acme`,
        audience: azureAudience,
        subject: 'owner:acme:project:shop:environment:production',
      });
      const hosts = await startMappedHosts(['login.microsoftonline.com'], Number(new URL(entra.url).port));
      const file = path('azure');
      const keeping = spawn('sh', ['-c', `exec "${process.execPath}" "${program}" ${command}`], {
        cwd: machine.work,
        env: {
          PATH: process.env['PATH'],
          ...machine.environment,
          ...beside,
          AZURE_FEDERATED_TOKEN_FILE: file,
        },
      });
      try {
        await vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 10_000 });
        vi.stubEnv('AZURE_TENANT_ID', tenant);
        vi.stubEnv('AZURE_CLIENT_ID', client);
        vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', file);
        vi.stubEnv('AZURE_AUTHORITY_HOST', 'https://login.microsoftonline.com/');
        const credential = new WorkloadIdentityCredential({ disableInstanceDiscovery: true });
        expect((await credential.getToken('https://vault.azure.net/.default')).token).toBe('entra');
      } finally {
        keeping.kill();
        await once(keeping, 'close');
        await hosts.close();
        await entra.close();
      }
    });
  });

  describe('for Google’s libraries', () => {
    const accountOf = (tokenUrl: string, more: object = {}) =>
      ExternalAccountClient.fromJSON({
        type: 'external_account',
        audience: googleAudience,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: tokenUrl,
        credential_source: {
          executable: {
            command: `${process.execPath} ${program} workload token --format google-executable`,
            timeout_millis: 20_000,
            ...more,
          },
        },
      })!;

    test('is taken by google-auth-library as it is, which then reads its cache', async () => {
      const google = await startGoogleTokenService({
        issuer: `${world.tessera.urls.oidc}/acme`,
        audience: googleAudience,
        subject: 'owner:acme:project:shop:environment:production',
      });
      vi.stubEnv('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', '1');
      for (const [name, value] of Object.entries(beside)) vi.stubEnv(name, value);
      const cache = path('google-cache');
      const account = accountOf(`${google.url}/v1/token`, { output_file: cache });
      expect((await account.getAccessToken()).token).toBe('ya29.google');
      expect(google.taken).toMatchObject([{ aud: googleAudience }]);
      expect(statSync(cache).mode & 0o777).toBe(0o600);
      const kept = JSON.parse(readFileSync(cache, 'utf8')) as { id_token: string; expiration_time: number };
      expect(kept.expiration_time).toBe(decodeJwt(kept.id_token).exp);
      // The cache is enough: nobody is asked.
      vi.stubEnv('TESSERA_WORKLOAD_SECRET', 'dws_wrong');
      const second = accountOf(`${google.url}/v1/token`, { output_file: cache });
      expect((await second.getAccessToken()).token).toBe('ya29.google');
      await google.close();
    });

    test('that is refused is said in their form', async () => {
      const { status, stdout, stderr } = await ask(
        { ...beside, TESSERA_WORKLOAD_SECRET: 'dws_wrong' },
        '--format=google-executable',
      );
      expect(status).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        version: 1,
        success: false,
        code: 'workload_secret_refused',
        message: expect.any(String),
      });
      expect(codeOf(stderr)).toBe('workload_secret_refused');
      vi.stubEnv('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', '1');
      for (const [name, value] of Object.entries(beside)) vi.stubEnv(name, value);
      vi.stubEnv('TESSERA_WORKLOAD_SECRET', 'dws_wrong');
      await expect(accountOf('http://127.0.0.1:9').getAccessToken()).rejects.toThrow(
        /workload_secret_refused/,
      );
    });
  });

  test('in a build is the one that it was given, exchanged where another audience is asked for', async () => {
    const given = await world.mintToken(world.builderToken, { environment: 'production' });
    const build = { VERCEL_OIDC_TOKEN: given };
    await expect(ask(build)).resolves.toMatchObject({ status: 0, stdout: `${given}\n` });
    const exchanged = await ask(
      { ...build, TESSERA_OIDC_URL: world.tessera.urls.oidc },
      '--audience=sts.amazonaws.com',
    );
    expect(decodeJwt(exchanged.stdout.trim())).toMatchObject({
      aud: 'sts.amazonaws.com',
      act: expect.any(Object),
      environment: 'production',
    });
    const nowhere = await ask(build, '--audience=sts.amazonaws.com');
    expect([nowhere.status, codeOf(nowhere.stderr)]).toEqual([1, 'not_configured']);
    const malformed = await ask({ VERCEL_OIDC_TOKEN: 'not a token' });
    expect([malformed.status, malformed.stdout, codeOf(malformed.stderr)]).toEqual([
      1,
      '',
      'token_malformed',
    ]);
    expect(malformed.stderr).not.toContain('not a token');
  });

  test('on a developer’s machine is a development token, by the login', async () => {
    const nobody = await ask({}, '--project=shop', '--team=acme');
    expect([nobody.status, nobody.stdout, codeOf(nobody.stderr)]).toEqual([3, '', 'not_logged_in']);
    const login = await machine.logIn(world.tessera.urls.origin, world.admin);
    expect(login).toMatchObject({ status: 0 });
    const { stdout } = await ask({}, '--project=shop', '--team=acme', '--audience=sts.amazonaws.com');
    expect(decodeJwt(stdout.trim())).toMatchObject({ aud: 'sts.amazonaws.com', runtime: 'development' });
    // A build's token is exchanged at the instance of the login, where nothing else says which.
    const given = await world.mintToken(world.builderToken, { environment: 'preview' });
    const exchanged = await ask({ VERCEL_OIDC_TOKEN: given }, '--audience=sts.amazonaws.com');
    expect(decodeJwt(exchanged.stdout.trim())).toMatchObject({
      aud: 'sts.amazonaws.com',
      environment: 'preview',
    });
    const unlinked = await ask({});
    expect([unlinked.status, codeOf(unlinked.stderr)]).toEqual([1, 'not_linked']);
  });
});
