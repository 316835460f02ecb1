import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { WorkloadIdentityCredential } from '@azure/identity';
import { ExternalAccountClient } from 'google-auth-library';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createFederationWorld, type FederationWorld } from '../../federation/federation-world.ts';
import { findFreePort } from '../../harness/free-port.ts';
import { databaseKinds } from '../../harness/test-databases.ts';
import { startMappedHosts } from '../vercel/mapped-hosts.ts';
import { startSecurityTokenService, type SecurityTokenService } from '../vercel/security-token-service.ts';
import { startEntra, startGoogleTokenService, type TokenService } from './token-services.ts';

const root = join(import.meta.dirname, '../../..');
const role = 'arn:aws:iam::123456789012:role/shop';
const googleAudience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/t';
const azureAudience = 'api://AzureADTokenExchange';
const tenant = '11111111-2222-3333-4444-555555555555';
const client = '66666666-7777-8888-9999-000000000000';
const subject = 'owner:acme:project:shop:environment:production';

/** Their published packages, as a deployment has them, refresh by themselves at the listener for deployments. */
describe.each(databaseKinds)('SDKs of clouds in a running deployment, on %s', { timeout: 60_000 }, (kind) => {
  let world: FederationWorld;
  let listener: string;
  let folder: string;
  let secret: string;
  let previewSecret: string;
  let sts: SecurityTokenService;
  let google: TokenService;
  let entra: TokenService;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-clouds-'));
    const port = await findFreePort();
    listener = `http://127.0.0.1:${port}`;
    // The token service asks the instance for its keys, and the instance is told where the service is: its issuer is
    // known before either runs.
    const providers: Record<string, readonly string[]> = {};
    const roles: Parameters<typeof startSecurityTokenService>[0]['roles'] = {};
    sts = await startSecurityTokenService({ providers, roles });
    world = await createFederationWorld(kind, {
      variables: {
        TESSERA_WORKLOAD_LISTEN: `127.0.0.1:${port}`,
        TESSERA_STS_URL: sts.url,
        TESSERA_ALLOW_PRIVATE_HOSTS: new URL(sts.url).host,
      },
    });
    const issuer = `${world.tessera.urls.oidc}/acme`;
    const key = `${issuer.replace(/^https?:\/\//, '')}:`;
    providers[issuer] = ['sts.amazonaws.com'];
    Object.assign(roles, {
      [role]: {
        provider: issuer,
        stringEquals: { [`${key}aud`]: 'sts.amazonaws.com', [`${key}sub`]: subject },
      },
    });
    google = await startGoogleTokenService({ issuer, audience: googleAudience, subject });
    entra = await startEntra(tenant, client, { issuer, audience: azureAudience, subject });
    await world.configure({ audiences: ['sts.amazonaws.com', googleAudience, azureAudience] });
    const deploy = async (environment: string) =>
      world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: { projectId: world.project.id, environment, upstream: 'http://127.0.0.1:9' },
      });
    secret = (await deploy('production')).workloadSecret;
    previewSecret = (await deploy('preview')).workloadSecret;
  });
  afterAll(async () => {
    await world?.tessera.close();
    await sts?.close();
    await google?.close();
    await entra?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => vi.unstubAllEnvs());

  /** The environment of a container; nothing of this machine's own AWS settings. */
  function inContainer(variables: Readonly<Record<string, string>>): STSClient {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'));
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'));
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    return new STSClient({ region: 'eu-central-1', endpoint: sts.url });
  }
  const credentialsUri = (more = '') =>
    `${listener}/aws-credentials?roleArn=${encodeURIComponent(role)}${more}`;

  test('AWS: the usual chain of credentials finds them, with nothing set in code', async () => {
    const aws = inContainer({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: credentialsUri(),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: `Bearer ${secret}`,
    });
    const { Arn } = await aws.send(new GetCallerIdentityCommand({}));
    // The session has the deployment's name.
    expect(Arn).toMatch(/^arn:aws:sts::123456789012:assumed-role\/shop\/dpl_\w+$/);
  });

  test('AWS: with the secret in a file, asked for anew when they are nearly over', async () => {
    const file = join(folder, 'authorization');
    writeFileSync(file, `Bearer ${secret}`, { mode: 0o600 });
    const aws = inContainer({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: credentialsUri('&durationSeconds=900'),
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
    const before = sts.presented.length;
    const ask = async () => aws.send(new GetCallerIdentityCommand({}));
    await ask();
    await ask();
    expect(sts.presented.length).toBe(before + 1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 14 * 60_000 });
    try {
      await ask();
      await vi.waitFor(() => expect(sts.presented.length).toBe(before + 2));
    } finally {
      vi.useRealTimers();
    }
  });

  test('AWS: a preview gets no role of production, and hears why', async () => {
    const aws = inContainer({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: credentialsUri(),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: `Bearer ${previewSecret}`,
    });
    await expect(aws.send(new GetCallerIdentityCommand({}))).rejects.toThrow();
    const answer = await fetch(credentialsUri(), { headers: { authorization: `Bearer ${previewSecret}` } });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({
      code: 'sts_refused',
      Code: 'sts_refused',
      Message: expect.stringContaining('Not authorized to perform sts:AssumeRoleWithWebIdentity') as string,
    });
  });

  const googleAccount = (source: object) =>
    ExternalAccountClient.fromJSON({
      type: 'external_account',
      audience: googleAudience,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${google.url}/v1/token`,
      credential_source: source,
    })!;
  const tokenUri = `/token?audience=${encodeURIComponent(googleAudience)}`;

  test('Google Cloud: URL-sourced credentials, asked for anew when they are over', async () => {
    const account = googleAccount({
      url: `${listener}${tokenUri}`,
      headers: { Authorization: `Bearer ${secret}` },
      format: { type: 'json', subject_token_field_name: 'token' },
    });
    google.lifetimeSeconds = 1;
    const before = google.taken.length;
    expect((await account.getAccessToken()).token).toBe('ya29.google');
    expect((await account.getAccessToken()).token).toBe('ya29.google');
    google.lifetimeSeconds = 3_600;
    expect(google.taken.slice(before)).toMatchObject([{ sub: subject }, { sub: subject }]);
  });

  test('Google Cloud: executable-sourced credentials read the answer of a command as it is', async () => {
    vi.stubEnv('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', '1');
    const program = join(folder, 'ask.mjs');
    const url = `${listener}${tokenUri}&format=google-executable`;
    writeFileSync(
      program,
      `const answer = await fetch(${JSON.stringify(url)}, { headers: { authorization: 'Bearer ${secret}' } });
      console.log(await answer.text());`,
    );
    const before = google.taken.length;
    const account = googleAccount({
      executable: { command: `${process.execPath} ${program}`, timeout_millis: 10_000 },
    });
    expect((await account.getAccessToken()).token).toBe('ya29.google');
    expect(google.taken.slice(before)).toMatchObject([{ sub: subject, aud: googleAudience }]);
  });

  test('Google Cloud: a preview’s token is not taken', async () => {
    const account = googleAccount({
      url: `${listener}${tokenUri}&format=text`,
      headers: { Authorization: `Bearer ${previewSecret}` },
    });
    await expect(account.getAccessToken()).rejects.toThrow();
    expect(google.refused.at(-1)).toContain('environment:preview');
  });

  test('Azure: the loop of the guide keeps the file that its SDK reads', async () => {
    const guide = readFileSync(join(root, 'docs/guides/workload-tokens.md'), 'utf8');
    const [, loop = ''] = /```sh\n *(umask 077\n[\s\S]*?done)\n *```/.exec(guide) ?? [];
    const program = loop
      .replace('--unix-socket /run/tessera/workload.sock ', '')
      .replace('http://localhost/', `${listener}/`);
    expect(program).toContain(listener);
    const file = join(folder, 'azure-token');
    const running = spawn('sh', ['-c', program], {
      env: { ...process.env, WORKLOAD_SECRET: secret, TOKEN_FILE: file },
      detached: true,
    });
    const hosts = await startMappedHosts(['login.microsoftonline.com'], Number(new URL(entra.url).port));
    try {
      await vi.waitFor(() => expect(readFileSync(file, 'utf8').length).toBeGreaterThan(100), 10_000);
      vi.stubEnv('AZURE_TENANT_ID', tenant);
      vi.stubEnv('AZURE_CLIENT_ID', client);
      vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', file);
      vi.stubEnv('AZURE_AUTHORITY_HOST', 'https://login.microsoftonline.com/');
      const credential = new WorkloadIdentityCredential({ disableInstanceDiscovery: true });
      const { token } = await credential.getToken('https://vault.azure.net/.default');
      expect(token).toBe('entra');
      expect(entra.taken).toMatchObject([{ sub: subject, aud: azureAudience }]);
    } finally {
      process.kill(-(running.pid ?? 0));
      await once(running, 'close');
      await hosts.close();
    }
  });
});
