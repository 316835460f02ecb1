import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../../examples/listen.ts';
import { startEchoUpstream } from '../../harness/echo-upstream.ts';
import { passPassport } from '../../harness/passport-world.ts';
import { send } from '../../harness/send.ts';
import { createVisitor } from '../../harness/visitor.ts';
import { startSigningIssuer, passportClaims } from '../../packages/signing-issuer.ts';
import { createVercelWorld, deploymentDomain, urls, type VercelWorld } from './vercel-world.ts';

const header = 'x-vercel-oidc-passport-token';
const trap = 'test-user';

type Identity = { externalSubject: string; email: string; verified: boolean; token: string };
type Seen = {
  identity: Identity | { error: string } | null;
  ours: { externalSub: string } | { error: string } | null;
  workload: string | { error: string };
  verified: Identity | { error: string } | null;
};

let world: VercelWorld;
let upstream: Running;
const children: ChildProcess[] = [];
beforeAll(async () => {
  upstream = await startEchoUpstream();
  world = await createVercelWorld(upstream.url, ['register', 'hono']);
}, 120_000);
afterAll(async () => {
  for (const child of children) {
    const closed = once(child, 'close');
    child.kill();
    await closed;
  }
  await world?.close();
  await upstream?.close();
});

/** Starts the program as a container would: with nothing in its environment but what is said here. */
async function startProgram(variables: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(
    process.execPath,
    [...world.hosts.nodeArguments, join(import.meta.dirname, 'answer-with-vercel.ts')],
    {
      env: { PATH: process.env['PATH'], ...world.hosts.environment, ...variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, url] = /^listening: (\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.once('close', () => reject(new Error('the program ended')));
  });
}

const deployed = (): Record<string, string> => ({
  VERCEL_PROJECT_ID: world.project.id,
  VERCEL_ENV: 'production',
  PASSPORT_ISSUER: `${urls.passport}/acme`,
  PASSPORT_AUDIENCE: `${urls.origin}/acme/site/production`,
});

describe.each(['register', 'hono'])(
  '@vercel/passport, as it is published, behind the gateway with %s',
  (server) => {
    const url = `https://${server}.${deploymentDomain}`;
    let direct: string;
    beforeAll(async () => {
      direct = await startProgram({ ...deployed(), SERVER: server });
      await world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: {
          projectId: world.project.id,
          environment: 'production',
          hosts: [{ host: new URL(url).hostname, kind: 'alias' }],
          upstream: direct.replace('localhost', '127.0.0.1'),
        },
      });
    });

    test('says who is visiting, and so does ours', async () => {
      const visitor = createVisitor();
      const page = await passPassport(visitor, `${url}/`);
      expect(page.json()).toMatchObject({
        identity: {
          externalSubject: 'staff|grace',
          email: 'grace@corp.example',
          verified: true,
          tokenSource: 'header',
          owner: { slug: 'acme', id: world.team.id },
          project: { id: world.project.id, name: 'site' },
          environment: 'production',
        },
        ours: { externalSub: 'staff|grace', email: 'grace@corp.example', isTest: false },
        workload: 'owner:acme:project:site:environment:production',
      });
      // A backend that is handed the token can verify it.
      const { identity } = page.json() as { identity: Identity };
      const again = await visitor.open(`${url}/`, { 'x-verify': identity.token });
      expect(again.json()).toMatchObject({ verified: { externalSubject: 'staff|grace', verified: true } });
    });

    test('hears nothing of what a client claims to be', async () => {
      const visitor = createVisitor();
      await passPassport(visitor, `${url}/`);
      const forger = await startSigningIssuer();
      const forged = await forger.sign(passportClaims(urls.passport, { external_sub: 'mallory' }));
      for (const spelling of [header, header.toUpperCase(), 'x_vercel_oidc_passport_token']) {
        const answer = await visitor.open(`${url}/`, { [spelling]: forged });
        expect(answer.json()).toMatchObject({ identity: { externalSubject: 'staff|grace' } });
      }
      await forger.close();
    });

    test('around the gateway there is nobody, and no forged one either', async () => {
      const seen = (await send(direct)).json() as Seen;
      expect(seen).toMatchObject({ identity: null, ours: null });
      const forger = await startSigningIssuer();
      const forged = await forger.sign(passportClaims(urls.passport));
      const tried = (await send(direct, { headers: { [header]: forged } })).json() as Seen;
      expect(tried).toMatchObject({
        identity: { error: expect.any(String) as string },
        ours: { error: expect.stringContaining('PassportError') as string },
      });
      await forger.close();
    });

    test('takes no workload token for a visitor', async () => {
      const minted = await send(`${urls.api}/v1/projects/site/token?slug=acme`, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.builderToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ environment: 'production' }),
      });
      const { token } = minted.json() as { token: string };
      const tried = (await send(direct, { headers: { [header]: token } })).json() as Seen;
      expect(tried).toMatchObject({
        identity: { error: expect.any(String) as string },
        ours: { error: expect.stringContaining('publishes no key') as string },
      });
    });
  },
);

describe('the trap of @vercel/passport: a container that is told nothing of where it runs', () => {
  test('invents a person; ours does not', async () => {
    const { VERCEL_ENV: _, ...rest } = deployed();
    const direct = await startProgram(rest);
    expect((await send(direct)).json()).toMatchObject({
      identity: { externalSubject: trap, verified: false },
      ours: null,
    });
  });

  test.each([{ VERCEL_ENV: 'production' }, { VERCEL_ENV: 'preview' }, { VERCEL_PASSPORT_DEV: '0' }])(
    'is closed by %j',
    async (variables) => {
      const { VERCEL_ENV: _, ...rest } = deployed();
      const direct = await startProgram({ ...rest, ...variables });
      expect((await send(direct)).json()).toMatchObject({ identity: null, ours: null });
    },
  );
});
