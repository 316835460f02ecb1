import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPassportWorld, passPassport } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { createSignInWorld, type TokenAnswer } from '../harness/sign-in-world.ts';
import { spawnTessera, type SpawnedTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('after kill -9 and a new start on %s', { timeout: 120_000 }, (kind) => {
  let tessera: SpawnedTessera;
  beforeEach(async () => {
    tessera = await spawnTessera(kind, { processes: 1 });
  });
  afterEach(async () => {
    await tessera?.close();
  });

  test('the keys are the same, and verify what was signed before', async () => {
    const { urls } = tessera;
    const signIn = await createSignInWorld(urls, tessera.setUpLink);
    const { id_token: idToken } = await signIn.signIn();
    const addresses = [
      `${urls.origin}/.well-known/jwks`,
      `${urls.oidc}/.well-known/jwks`,
      `${urls.oidc}/acme/.well-known/jwks`,
      `${urls.passport}/acme/.well-known/jwks`,
    ];
    const read = () => Promise.all(addresses.map(async (address) => (await send(address)).json()));
    const before = await read();
    await tessera.crash();
    const after = await read();
    expect(after).toEqual(before);
    await jwtVerify(idToken, createLocalJWKSet(after[0] as JSONWebKeySet), { issuer: urls.origin });
  });

  test('people are still logged in, and their tokens work', async () => {
    const signIn = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const tokens = await signIn.signIn();
    await tessera.crash();
    const { code, request } = await signIn.issueCode();
    expect((await signIn.redeem(code, request)).status).toBe(200);
    const userinfo = await send(`${tessera.urls.api}/login/oauth/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(userinfo.json()).toMatchObject({ email: signIn.admin.email });
    expect((await signIn.refresh(tokens.refresh_token)).status).toBe(200);
  });

  test('a used code stays used, and a used refresh token ends its family', async () => {
    const signIn = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const first = await signIn.issueCode();
    expect((await signIn.redeem(first.code, first.request)).status).toBe(200);
    const { refresh_token: used } = await signIn.signIn();
    const successor = ((await signIn.refresh(used)).json() as TokenAnswer).refresh_token;
    const unused = await signIn.issueCode();

    await tessera.crash();
    const again = await signIn.redeem(first.code, first.request);
    expect([again.status, again.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
    expect((await signIn.redeem(unused.code, unused.request)).status, 'and an unused one works').toBe(200);
    await tessera.advance(31_000);
    expect((await signIn.refresh(used)).status).toBe(400);
    expect((await signIn.refresh(successor)).status).toBe(400);
  });

  test('a visitor is still signed in to the deployment', async () => {
    const world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    try {
      const visitor = createVisitor();
      const { url } = world.deployment;
      expect((await passPassport(visitor, `${url}/`)).status).toBe(200);
      await tessera.crash();
      expect((await visitor.open(`${url}/`)).status).toBe(200);
    } finally {
      await world.close();
    }
  });
});
