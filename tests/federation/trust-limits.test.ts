import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendForm } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { startCiService } from './ci-service.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

/** In this order: the clock goes on, and never back. */
describe.each(databaseKinds)('limits of the exchange of outside tokens, on %s', (kind) => {
  let world: FederationWorld;
  let ci: Awaited<ReturnType<typeof startCiService>>;

  beforeAll(async () => {
    world = await createFederationWorld(kind);
    ci = await startCiService();
  });
  afterAll(async () => {
    ci?.close();
    await world?.tessera.close();
  });

  const query = () => ({ teamId: world.team.id });
  const create = () =>
    world.call('trust-policies.create', {
      query: query(),
      body: {
        name: 'Deploys of the shop',
        issuer: ci.issuer,
        audience: 'tessera',
        claims: [{ name: 'sub', values: [{ value: 'repo:acme/shop:ref:refs/heads/main' }] }],
        permissions: ['project:read'],
      },
    });
  const remove = (policyId: string) =>
    world.call('trust-policies.delete', { params: { policyId }, query: query() });
  const exchange = (token: string) =>
    sendForm(`${world.tessera.urls.api}/login/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      team_id_or_slug: world.team.slug,
    });

  test('one token is exchanged sixty times a minute, however its signature is written', async () => {
    const policy = await create();
    const token = await ci.sign();
    const recordsOf = async () => {
      const { records } = await world.call('audit-log.list', { query: { ...query(), limit: 100 } });
      return records.filter(({ actor }) => actor === policy.id).length;
    };
    const tries = await Promise.all(Array.from({ length: 70 }, () => exchange(token)));
    expect(tries.filter(({ status }) => status === 200)).toHaveLength(60);
    const refused = tries.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(10);
    expect(refused[0]?.headers['retry-after']).toBe('60');
    expect(refused[0]?.json()).toMatchObject({ error: 'temporarily_unavailable' });
    expect(await recordsOf()).toBe(60);
    // 256 bytes end in a character of which four bits say nothing.
    const [last = ''] = token.slice(-1);
    const respelt = `${token.slice(0, -1)}${String.fromCharCode((last.codePointAt(0) ?? 0) + 1)}`;
    expect(Buffer.from(respelt.split('.')[2] ?? '', 'base64url')).toEqual(
      Buffer.from(token.split('.')[2] ?? '', 'base64url'),
    );
    expect((await exchange(respelt)).status).toBe(429);
    expect((await exchange(await ci.sign({ run: 2 }))).status).toBe(200);
    world.tessera.advance(61_000);
    expect((await exchange(token)).status).toBe(200);
    await remove(policy.id);
  }, 30_000);

  test('a network with too many refused tokens is told so before its next is looked at', async () => {
    const policy = await create();
    const wrong = await ci.sign({ sub: 'repo:evil/x' });
    const tries = await Promise.all(Array.from({ length: 61 }, () => exchange(wrong)));
    expect(tries.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    const answer = await exchange(await ci.sign());
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '60']);
    world.tessera.advance(61_000);
    expect((await exchange(await ci.sign())).status).toBe(200);
    await remove(policy.id);
  }, 30_000);

  test('a token that is over, within what clocks may differ, is exchanged for nothing', async () => {
    const policy = await create();
    const token = await ci.sign();
    world.tessera.advance(310_000 - 122_000);
    const answer = await exchange(token);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('it has expired');
    await remove(policy.id);
  });
});
