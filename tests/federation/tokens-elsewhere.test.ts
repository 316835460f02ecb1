import { Writable } from 'node:stream';
import * as jose from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../packages/server/src/logger/index.ts';
import { createApiToken } from '../harness/front-door.ts';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, createProject, type FederationWorld } from './federation-world.ts';

const aws = 'sts.amazonaws.com';

describe.each(databaseKinds)('tokens in the hands of others, on %s', (kind) => {
  let world: FederationWorld;
  let log = '';
  beforeAll(async () => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString();
        done();
      },
    });
    world = await createFederationWorld(kind, { logger: createLogger('debug', stream) });
    await world.configure({ audiences: [aws] });
  });
  afterAll(() => world?.tessera.close());

  /** Another team with a project of the same name, and a builder's token of it. */
  async function createNeighbour(slug: string): Promise<string> {
    const team = await world.call('teams.create', { body: { slug } });
    const project = await createProject(world.call, team.id, 'shop');
    const builder = await createApiToken(world.tessera.urls.origin, world.admin, {
      name: slug,
      teamSlug: slug,
      builds: [{ projectId: project.id, environment: 'production' }],
    });
    const path = `/v1/projects/${project.id}/token?teamId=${team.id}`;
    return ((await world.mint(builder, { environment: 'production' }, path)).json() as { token: string })
      .token;
  }

  test('a key is named by its thumbprint, and one name is one key everywhere (federation-09)', async () => {
    const { origin, oidc, passport } = world.tessera.urls;
    const seen = new Map<string, string>();
    for (const issuer of [origin, oidc, `${oidc}/acme`, `${passport}/acme`]) {
      const { keys } = (await send(`${issuer}/.well-known/jwks`)).json() as { keys: jose.JWK[] };
      for (const key of keys) {
        expect(await jose.calculateJwkThumbprint(key)).toBe(key.kid);
        const { n, x } = key;
        expect(seen.get(key.kid ?? '') ?? `${n} ${x}`).toBe(`${n} ${x}`);
        seen.set(key.kid ?? '', `${n} ${x}`);
      }
    }
    const ofPassport = (await send(`${passport}/acme/.well-known/jwks`)).json() as { keys: jose.JWK[] };
    const ofWorkloads = (await send(`${oidc}/acme/.well-known/jwks`)).json() as { keys: jose.JWK[] };
    const kids = ofWorkloads.keys.map(({ kid }) => kid);
    expect(ofPassport.keys.filter(({ kid }) => kids.includes(kid))).toEqual([]);
  });

  test('another team’s token is another issuer’s, whatever key signed it (federation-09)', async () => {
    const neighbour = await createNeighbour('neighbour');
    const { oidc, origin } = world.tessera.urls;
    const keySet = jose.createRemoteJWKSet(new URL(`${oidc}/acme/.well-known/jwks`));
    const expected = {
      issuer: `${oidc}/acme`,
      audience: `${origin}/acme`,
      subject: 'owner:acme:project:shop:environment:production',
    };
    const own = await world.mintToken(world.builderToken, { environment: 'production' });
    await expect(jose.jwtVerify(own, keySet, expected)).resolves.toBeDefined();
    await expect(jose.jwtVerify(neighbour, keySet, expected)).rejects.toMatchObject({ claim: 'iss' });
    // Our own project's list says nothing about the neighbour's token, nor its app anything of it.
    const answer = await world.exchange({ token: neighbour, aud: aws });
    expect([answer.status, (answer.json() as { code: string }).code]).toEqual([400, 'invalid_target']);
    expect(await world.introspect(neighbour)).toEqual({ active: false });
  });

  test('no token is in a log, an error or the audit log (federation-13)', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const exchanged = await world.exchangeToken(token, aws);
    const answers = [
      await world.exchange({ token, aud: 'https://elsewhere.example' }),
      await world.exchange({ token: exchanged, aud: aws }),
      await world.exchange({ token: `${token}x`, aud: aws }),
      await world.exchange({ token, aud: aws, more: token }),
      await world.exchange({ token, aud: aws, jti: `two words ${token}` }),
      await send(`${world.tessera.urls.oidc}/~token?token=${token}`),
      await world.mint(token, { environment: 'production' }),
    ];
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    const told = [log, JSON.stringify(records), ...answers.map(({ text }) => text)].join('\n');
    for (const secret of [token, exchanged]) expect(told).not.toContain(secret.split('.')[2]);
    expect(told).toContain(jose.decodeJwt(exchanged).jti ?? 'no jti');
    for (const { status } of answers) expect(status).toBeGreaterThanOrEqual(400);
  });

  test('a verifier whose clock is behind needs no leeway, and we give none (federation-21)', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const { iat = 0, exp = 0 } = jose.decodeJwt(token);
    const keySet = jose.createRemoteJWKSet(new URL(`${world.tessera.urls.oidc}/acme/.well-known/jwks`));
    const at = (seconds: number) =>
      jose.jwtVerify(token, keySet, { currentDate: new Date(seconds * 1000), clockTolerance: 0 });
    await expect(at(iat - 29)).resolves.toBeDefined();
    await expect(at(iat - 60)).rejects.toMatchObject({ claim: 'nbf' });
    await expect(at(exp)).rejects.toMatchObject({ code: 'ERR_JWT_EXPIRED' });
    world.tessera.advance((exp - iat - 30) * 1_000);
    expect((await world.exchange({ token, aud: aws })).status).toBe(200);
    world.tessera.advance(31_000);
    expect((await world.exchange({ token, aud: aws })).status).toBe(400);
    expect(await world.introspect(token)).toEqual({ active: false });
  });
});
