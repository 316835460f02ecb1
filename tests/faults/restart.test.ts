import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { createSignInWorld, type TokenAnswer } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('after a restart on %s', (kind) => {
  let tessera: RunningTessera | undefined;
  let world: PassportWorld | undefined;
  afterEach(async () => {
    await world?.close();
    await tessera?.close();
    [tessera, world] = [undefined, undefined];
  });

  test('the keys are the same, and verify what was signed before', async () => {
    tessera = await startTessera(kind);
    const { urls } = tessera;
    const signIn = await createSignInWorld(urls, tessera.setUpLink);
    const { id_token: idToken } = await signIn.signIn();
    const addresses = [
      `${urls.origin}/.well-known/jwks`,
      `${urls.oidc}/.well-known/jwks`,
      `${urls.oidc}/acme/.well-known/jwks`,
      `${urls.passport}/acme/.well-known/jwks`,
    ];
    const before = await Promise.all(addresses.map(async (address) => (await send(address)).json()));
    await tessera.restart();
    const after = await Promise.all(addresses.map(async (address) => (await send(address)).json()));
    expect(after).toEqual(before);
    await jwtVerify(idToken, createLocalJWKSet(after[0] as JSONWebKeySet), { issuer: urls.origin });
  });

  test('people are still logged in, and their access tokens work', async () => {
    tessera = await startTessera(kind);
    const signIn = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const tokens = await signIn.signIn();
    await tessera.restart();
    const { code, request } = await signIn.issueCode();
    expect((await signIn.redeem(code, request)).status).toBe(200);
    const userinfo = await send(`${tessera.urls.api}/login/oauth/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(userinfo.json()).toMatchObject({ email: signIn.admin.email });
    expect((await signIn.refresh(tokens.refresh_token)).status).toBe(200);
  });

  test('a used code stays used, and a used refresh token ends its family (security-31)', async () => {
    tessera = await startTessera(kind);
    const signIn = await createSignInWorld(tessera.urls, tessera.setUpLink);
    const first = await signIn.issueCode();
    expect((await signIn.redeem(first.code, first.request)).status).toBe(200);
    const { refresh_token: used } = await signIn.signIn();
    const successor = ((await signIn.refresh(used)).json() as TokenAnswer).refresh_token;
    const unused = await signIn.issueCode();

    await tessera.restart();
    const again = await signIn.redeem(first.code, first.request);
    expect([again.status, again.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
    tessera.advance(31_000);
    expect((await signIn.refresh(used)).status).toBe(400);
    expect((await signIn.refresh(successor)).status).toBe(400);
    expect((await signIn.redeem(unused.code, unused.request)).status, 'and an unused one works').toBe(200);
  });

  test('a visitor is still signed in to the deployment', async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    const visitor = createVisitor();
    const { url } = world.deployment;
    expect((await passPassport(visitor, `${url}/`)).status).toBe(200);
    await tessera.restart();
    expect((await visitor.open(`${url}/`)).status).toBe(200);
  });
});
