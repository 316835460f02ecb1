import { existsSync, readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../packages/server/src/logger/index.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { addressOf } from '../harness/test-databases.ts';

let tessera: RunningTessera;
let world: PassportWorld;
let log = '';
const secrets: Record<string, string> = {};
const seen: string[] = [];

/** Makes one of each, and sends it, and one that is wrong, wherever it may be sent or ends up by mistake. */
beforeAll(async () => {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log += chunk.toString();
      done();
    },
  });
  tessera = await startTessera('sqlite', { logger: createLogger('debug', stream) });
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  const { call, deployment } = world;
  const host = new URL(deployment.url).hostname;
  const params = { idOrName: 'site' };
  const made = await call('protection-bypass.update', { params, body: { generate: {} } });
  const renewed = await call('protection-bypass.update', {
    params,
    body: { revoke: { secret: made.secret ?? '', regenerate: true } },
  });
  const shared = await call('share-links.update', { params: { idOrHost: host }, body: {} });
  Object.assign(secrets, {
    revoked: made.secret,
    bypass: renewed.secret,
    share: shared.secret,
    wrong: 'Wr0ngWr0ngWr0ngWr0ngWr0ngWr0ngWr',
  });
  for (const secret of Object.values(secrets)) {
    for (const path of [
      `/?x-vercel-protection-bypass=${secret}`,
      `/?x-vercel-protection-bypass=${secret}&x-vercel-set-bypass-cookie=true`,
      `/?_vercel_share=${secret}`,
      `/?_VERCEL_SHARE=${secret}&a=1`,
    ]) {
      const answer = await send(`${deployment.url}${path}`, {
        headers: {
          accept: 'text/html',
          'x-vercel-protection-bypass': secret,
          x_vercel_protection_bypass: secret,
          cookie: `_vercel_share=${secret}; _vercel_protection_bypass=${secret}`,
          referer: `${deployment.url}${path}`,
        },
      });
      const cookies = answer.headers['set-cookie'] ?? [];
      seen.push(answer.text, answer.headers.location ?? '', ...cookies);
    }
    const explained = await call('protection.explain', {
      body: { host, path: `/?_vercel_share=${secret}`, headers: { 'x-vercel-protection-bypass': secret } },
    });
    seen.push(JSON.stringify(explained));
    await call('protection-bypass.update', { params, body: { revoke: { secret: `${secret}x` } } }).catch(
      (error: unknown) => seen.push(String(error)),
    );
  }
  seen.push(JSON.stringify(await call('audit-log.list', { query: { limit: 50 } })));
  seen.push(JSON.stringify(await call('protection-bypass.list', { params })));
});
afterAll(async () => {
  await world?.close();
  await tessera?.close();
});

const found = (text: string) => Object.keys(secrets).filter((name) => text.includes(secrets[name] ?? ''));

test('bypass secrets and share links are in no log and no record, right or wrong (security-101e)', () => {
  expect(log).toContain('"level"');
  expect(Object.values(secrets).every((secret) => secret.length === 32)).toBe(true);
  expect(found(log)).toEqual([]);
  expect(found(seen.at(-2) ?? '')).toEqual([]);
});

test('they reach no upstream, and come back in no answer, address or cookie (advisory-extra: secrets)', () => {
  // The upstream answers with what it received.
  expect(seen.join('\n')).toContain('rawHeaders');
  expect(found(seen.join('\n'))).toEqual([]);
});

test('they are nowhere in the database (security-101d)', () => {
  const address = addressOf(tessera.database);
  if (address.dialect !== 'sqlite') throw new Error('this reads the file of SQLite');
  const files = [address.path, `${address.path}-wal`].filter((file) => existsSync(file));
  const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
  expect(bytes.includes('ada@acme.example')).toBe(true);
  expect(Object.keys(secrets).filter((name) => bytes.includes(secrets[name] ?? ''))).toEqual([]);
});
