import * as jose from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

describe.each(databaseKinds)('an own API that trusts a workload by its token, on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
  });
  afterAll(() => world?.tessera.close());

  /** The third seed's server, its arguments un-swapped: `new URL(path, base)` would drop the team from the issuer. */
  function verify(token: string, expected: { issuer?: string; audience?: string; subject?: string } = {}) {
    const { oidc, origin } = world.tessera.urls;
    const issuer = expected.issuer ?? `${oidc}/acme`;
    const keySet = jose.createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks`));
    return jose.jwtVerify(token, keySet, {
      issuer,
      audience: expected.audience ?? `${origin}/acme`,
      subject: expected.subject ?? 'owner:acme:project:shop:environment:production',
    });
  }

  test('accepts the token of the very project and environment', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const { payload, protectedHeader } = await verify(token);
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(payload).toMatchObject({
      scope: payload.sub,
      owner: 'acme',
      owner_id: world.team.id,
      project: 'shop',
      project_id: world.project.id,
      environment: 'production',
      runtime: 'build',
    });
    expect(payload).not.toHaveProperty('user_id');
  });

  test('refuses it for another environment, project, team, audience or issuer', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'preview' });
    const subject = 'owner:acme:project:shop:environment:preview';
    await expect(verify(token, { subject })).resolves.toBeDefined();
    await expect(verify(token)).rejects.toMatchObject({ claim: 'sub' });
    await expect(verify(token, { subject: subject.replace('shop', 'shop2') })).rejects.toMatchObject({
      claim: 'sub',
    });
    await expect(verify(token, { subject, audience: world.tessera.urls.origin })).rejects.toMatchObject({
      claim: 'aud',
    });
    await expect(verify(token, { subject, issuer: world.tessera.urls.oidc })).rejects.toMatchObject({
      claim: 'iss',
    });
  });

  test('refuses a token whose hour is over', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const { iat = 0, exp = 0 } = jose.decodeJwt(token);
    expect(exp - iat).toBe(3_600);
    const keySet = jose.createRemoteJWKSet(new URL(`${world.tessera.urls.oidc}/acme/.well-known/jwks`));
    const currentDate = new Date(exp * 1000);
    await expect(jose.jwtVerify(token, keySet, { currentDate })).rejects.toMatchObject({
      code: 'ERR_JWT_EXPIRED',
    });
  });

  test('finds the keys by discovery at the issuer that the token names', async () => {
    const token = await world.mintToken(world.apiToken);
    const { iss = '' } = jose.decodeJwt(token);
    const document = (await send(`${iss}/.well-known/openid-configuration`)).json() as {
      issuer: string;
      jwks_uri: string;
      claims_supported: string[];
      id_token_signing_alg_values_supported: string[];
    };
    expect(document.issuer).toBe(iss);
    const { payload, protectedHeader } = await jose.jwtVerify(
      token,
      jose.createRemoteJWKSet(new URL(document.jwks_uri)),
    );
    expect(document.id_token_signing_alg_values_supported).toContain(protectedHeader.alg);
    expect(Object.keys(payload).filter((claim) => !document.claims_supported.includes(claim))).toEqual([]);
  });

  test('the global issuer and ids in the subject, when the project chooses so', async () => {
    const { call, team, project } = world;
    const address = { params: { idOrName: project.name }, query: { teamId: team.id } };
    await call('projects.update', {
      ...address,
      body: { oidcTokenConfig: { issuerMode: 'global', subjectForm: 'ids' } },
    });
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    const { payload } = await verify(token, {
      issuer: world.tessera.urls.oidc,
      subject: `owner_id:${team.id}:project_id:${project.id}:environment:production`,
    });
    expect(payload.aud).toBe(`${world.tessera.urls.origin}/acme`);
    await call('projects.update', {
      ...address,
      body: { oidcTokenConfig: { issuerMode: 'team', subjectForm: 'names' } },
    });
  });

  test('a restart keeps the keys', async () => {
    const token = await world.mintToken(world.builderToken, { environment: 'production' });
    await world.tessera.restart();
    await expect(verify(token)).resolves.toBeDefined();
  });

  test('no kind of token passes for another', async () => {
    const { origin, api, oidc } = world.tessera.urls;
    const workload = await world.mintToken(world.apiToken);
    const { id_token: idToken, access_token: accessToken } = await world.signIn();
    const keySet = (url: string) => jose.createRemoteJWKSet(new URL(`${url}/.well-known/jwks`));

    await expect(jose.jwtVerify(idToken, keySet(origin), { issuer: origin })).resolves.toBeDefined();
    await expect(jose.jwtVerify(idToken, keySet(oidc))).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    });
    await expect(jose.jwtVerify(workload, keySet(origin))).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    });

    for (const bearer of [workload, idToken]) {
      const headers = { authorization: `Bearer ${bearer}` };
      expect((await send(`${api}/login/oauth/userinfo`, { headers })).status).toBe(401);
      expect((await send(`${api}/v2/user`, { headers })).status).toBe(401);
      expect((await world.mint(bearer)).status).toBe(401);
    }
    expect(accessToken.split('.')).toHaveLength(1);
  });
});
