import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoUpstream } from '../../harness/echo-upstream.ts';
import { logInCommandLine } from '../../harness/command-line.ts';
import { send } from '../../harness/send.ts';
import type { Running } from '../../../examples/listen.ts';
import { createDeveloperMachine, type DeveloperMachine } from '../../packages/developer-machine.ts';
import { root, run } from '../../packages/packed.ts';
import { startSecurityTokenService, type SecurityTokenService } from './security-token-service.ts';
import { createVercelWorld, urls, type VercelWorld } from './vercel-world.ts';

const role = 'arn:aws:iam::123456789012:role/site';
const exchangedRole = 'arn:aws:iam::123456789012:role/exchanged';
const previewRole = 'arn:aws:iam::123456789012:role/preview';
const issuer = `${urls.oidc}/acme`;
const subject = 'owner:acme:project:site:environment:production';

type Printed = { found?: unknown; name?: string; message?: string; code?: string };

let world: VercelWorld;
let upstream: Running;
let machine: DeveloperMachine;
let sts: SecurityTokenService;
/** Of a build of production. */
let token: string;
beforeAll(async () => {
  upstream = await startEchoUpstream();
  world = await createVercelWorld(upstream.url);
  machine = createDeveloperMachine(urls);
  machine.link({ projectId: world.project.id, orgId: world.team.id });
  const key = (claim: string) => `oidc.vercel.com/acme:${claim}`;
  sts = await startSecurityTokenService({
    providers: { [issuer]: ['https://vercel.com/acme', 'sts.amazonaws.com'] },
    roles: {
      [role]: {
        provider: issuer,
        stringEquals: { [key('aud')]: 'https://vercel.com/acme', [key('sub')]: subject },
      },
      [exchangedRole]: {
        provider: issuer,
        stringEquals: { [key('aud')]: 'sts.amazonaws.com', [key('sub')]: subject },
      },
      [previewRole]: {
        provider: issuer,
        stringEquals: {
          [key('aud')]: 'https://vercel.com/acme',
          [key('sub')]: subject.replace('production', 'preview'),
        },
      },
    },
  });
  const minted = await send(`${urls.api}/v1/projects/site/token?slug=acme`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.builderToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ environment: 'production' }),
  });
  ({ token } = minted.json() as { token: string });
}, 120_000);
afterAll(async () => {
  machine?.remove();
  await sts?.close();
  await world?.close();
  await upstream?.close();
});

/** In a process of its own, as a stranger's program. */
async function use(ability: string, asked: object = {}, more: Record<string, string> = {}): Promise<Printed> {
  const program = join(root, 'tests', 'clients', 'vercel', 'use-vercel-oidc.ts');
  const { status, stdout, stderr } = await run(
    join(machine.work, 'src'),
    [...world.hosts.nodeArguments, program, ability, JSON.stringify(asked)],
    { ...machine.environment, ...world.hosts.environment, ...more },
  );
  if (status !== 0) throw new Error(`${ability} failed: ${stderr}`);
  return JSON.parse(stdout) as Printed;
}
const withToken = () => ({ VERCEL_OIDC_TOKEN: token });
const aws = () => ({ ...withToken(), AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL_STS: sts.url });

describe('@vercel/oidc, as it is published', { timeout: 60_000 }, () => {
  test('reads the variable, and verifies it with the global key set', async () => {
    await expect(use('get', {}, withToken())).resolves.toEqual({ found: token });
    const trusted = { token, projectId: world.project.id, environment: 'production' };
    await expect(use('verify', trusted)).resolves.toMatchObject({
      found: { iss: issuer, sub: subject, aud: 'https://vercel.com/acme', owner_id: world.team.id },
    });
    await expect(
      use('verify', { ...trusted, ownerId: world.team.id, audience: 'https://vercel.com/acme' }),
    ).resolves.toHaveProperty('found');
    await expect(use('verify', { ...trusted, environment: 'preview' })).resolves.toMatchObject({
      code: 'ERR_VERCEL_OIDC_TOKEN_VALIDATION',
    });
    await expect(use('verify', { ...trusted, projectId: 'prj_other' })).resolves.toMatchObject({
      code: 'ERR_VERCEL_OIDC_TOKEN_VALIDATION',
    });
  });

  test('mints a development token with the login of the command line', async () => {
    machine.logIn(await logInCommandLine(urls, world.admin));
    const { found } = await use('get');
    expect(decodeJwt(String(found))).toMatchObject({
      iss: issuer,
      environment: 'development',
      project_id: world.project.id,
    });
    const trusted = { projectId: world.project.id, environment: 'development' };
    await expect(use('verify', { token: found, ...trusted })).resolves.toHaveProperty('found');
  });

  test('renews the login when it has expired', async () => {
    const login = await logInCommandLine(urls, world.admin);
    machine.logIn(login, { expiresAt: 1 });
    const { found } = await use('login');
    expect(found).not.toBe(login.access_token);
    const renewed = machine.readLogin();
    expect(renewed).toMatchObject({ token: found });
    expect(renewed.refreshToken).not.toBe(login.refresh_token);
    const me = await send(`${urls.api}/v2/user`, { headers: { authorization: `Bearer ${String(found)}` } });
    expect(me.json()).toMatchObject({ user: { email: world.admin.email } });
  });

  test('and ours share one login', async () => {
    machine.logIn(await logInCommandLine(urls, world.admin), { expiresAt: 1 });
    await expect(use('login')).resolves.toHaveProperty('found');
    await expect(
      machine.ask({}, { ...world.hosts.environment, NODE_OPTIONS: world.hosts.nodeArguments.join(' ') }),
    ).resolves.toHaveProperty('tokens');
  });

  test('exchanges for an audience that the project lists, and shows why not for another', async () => {
    const { found } = await use('get', { audience: 'sts.amazonaws.com' }, withToken());
    expect(decodeJwt(String(found))).toMatchObject({
      iss: issuer,
      aud: 'sts.amazonaws.com',
      sub: subject,
      act: { aud: 'https://vercel.com/acme' },
    });
    const trusted = { projectId: world.project.id, environment: 'production', audience: 'sts.amazonaws.com' };
    await expect(use('verify', { token: found, ...trusted })).resolves.toHaveProperty('found');
    await expect(use('get', { audience: 'https://evil.example' }, withToken())).resolves.toMatchObject({
      message: expect.stringContaining('Failed to exchange token: invalid_target') as string,
    });
  });

  test('jose finds the keys of the team by discovery', async () => {
    await expect(
      use('discover', { issuer, audience: 'https://vercel.com/acme' }, withToken()),
    ).resolves.toMatchObject({ found: { sub: subject } });
  });
});

describe('AWS trusts a workload by its token', { timeout: 60_000 }, () => {
  test.each(['aws', 'ourAws'])('through %s', async (provider) => {
    await expect(use(provider, { roleArn: role }, aws())).resolves.toEqual({
      found: expect.stringMatching(/^arn:aws:sts::123456789012:assumed-role\/site\//) as string,
    });
    await expect(use(provider, { roleArn: previewRole }, aws())).resolves.toMatchObject({
      message: expect.stringContaining('Not authorized to perform sts:AssumeRoleWithWebIdentity') as string,
    });
  });

  test('through ours, with a token exchanged for it', async () => {
    const more = { ...aws(), TESSERA_OIDC_URL: urls.oidc };
    await expect(
      use('ourAws', { roleArn: exchangedRole, audience: 'sts.amazonaws.com' }, more),
    ).resolves.toHaveProperty('found');
    await expect(
      use('ourAws', { roleArn: role, audience: 'sts.amazonaws.com' }, more),
    ).resolves.toMatchObject({ code: 'aws_refused' });
    expect(decodeJwt(sts.presented.at(-1) ?? '').aud).toBe('sts.amazonaws.com');
  });

  test('through the SDK itself', async () => {
    await expect(use('sdk', { token, roleArn: role }, aws())).resolves.toEqual({
      found: 'arn:aws:sts::123456789012:assumed-role/site/sdk',
    });
    const [header, payload] = token.split('.');
    await expect(
      use('sdk', { token: `${header}.${payload}.${'A'.repeat(342)}`, roleArn: role }, aws()),
    ).resolves.toMatchObject({ name: 'InvalidIdentityTokenException' });
  });
});
