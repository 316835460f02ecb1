import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as openid from 'openid-client';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser } from '../harness/browser.ts';
import { startDemo, type RunningDemo } from '../harness/demo.ts';
import { send } from '../harness/send.ts';
import { passSignInPages } from '../harness/sign-in.ts';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('npm run demo -- --json on %s', (kind) => {
  let database: TestDatabase;
  let running: RunningDemo;
  let browser: Browser;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    [running, browser] = await Promise.all([startDemo(database), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await running?.stop();
    await database?.remove();
  });

  test('openid-client completes the sign-in through the pages, with userinfo and refresh', async () => {
    const { demo } = running;
    const configuration = await openid.discovery(
      new URL(demo.origin),
      demo.app.client_id,
      undefined,
      openid.ClientSecretBasic(demo.app.client_secret),
      { execute: [openid.allowInsecureRequests] },
    );
    const codeVerifier = openid.randomPKCECodeVerifier();
    const [state, nonce] = [openid.randomState(), openid.randomNonce()];
    const authorizationUrl = openid.buildAuthorizationUrl(configuration, {
      redirect_uri: demo.app.redirect_uri,
      scope: 'openid profile email offline_access',
      code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });

    const answer = await passSignInPages(createVisitor(), authorizationUrl, demo.user);
    expect(answer.searchParams.get('iss')).toBe(demo.origin);

    const tokens = await openid.authorizationCodeGrant(configuration, answer, {
      pkceCodeVerifier: codeVerifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    expect(claims?.sub).toBe(demo.user.sub);
    expect(claims?.['email']).toBe(demo.user.email);
    expect(tokens.access_token).toMatch(/^vca_/);
    expect(tokens.refresh_token).toMatch(/^vcr_/);

    const person = await openid.fetchUserInfo(configuration, tokens.access_token, demo.user.sub);
    expect(person).toMatchObject({ sub: demo.user.sub, email: demo.user.email });

    const renewed = await openid.refreshTokenGrant(configuration, tokens.refresh_token ?? '');
    expect(renewed.refresh_token).toMatch(/^vcr_/);
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
    expect(renewed.claims()?.sub).toBe(demo.user.sub);
    await openid.fetchUserInfo(configuration, renewed.access_token, demo.user.sub);
  });

  test('a person signs in to the demo app in a browser, renews the tokens and signs out', async () => {
    const { demo } = running;
    await inNewContext(browser, async (page) => {
      await page.goto(demo.app.url);
      await page.click('#sign-in');
      await page.fill('#login input[name=email]', demo.user.email);
      await page.fill('#login input[name=password]', demo.user.password);
      await page.click('#login-submit');
      // The consent of another test on this database may stand already.
      await page.waitForSelector('#consent-allow, #sign-out');
      if (await page.isVisible('#consent-allow')) await page.click('#consent-allow');
      await page.waitForSelector('#sign-out');
      expect(new URL(page.url()).origin).toBe(new URL(demo.app.url).origin);
      expect(await page.textContent('#sub')).toBe(demo.user.sub);
      await page.click('#renew');
      expect(await page.textContent('#sub')).toBe(demo.user.sub);
      await page.click('#sign-out');
      await page.waitForSelector('#sign-in');
    });
  });

  test('a visitor of the protected deployment ends on its page, which shows external_sub', async () => {
    const { demo } = running;
    const path = '/some/page?with=query&and=more';
    await inNewContext(browser, async (page) => {
      await page.goto(new URL(path, demo.deployment.url).href);
      expect(new URL(page.url()).origin).toBe(demo.identityProvider.issuer);
      await page.fill('input[name=username]', demo.identityProvider.username);
      await page.fill('input[name=password]', demo.identityProvider.password);
      await page.click('#sign-in-submit');
      await page.waitForSelector('#external_sub');

      expect(page.url()).toBe(new URL(path, demo.deployment.url).href);
      expect(await page.textContent('#external_sub')).toBe('staff|grace');
      expect(await page.textContent('#connector_id')).toBe(demo.identityProvider.connector_id);
      // The deployment called the API with its own token.
      expect(await page.textContent('#verifying-api')).toBe(`200 OK, ${subjectOf(running)}`);

      const cookies = await page.context().cookies(demo.deployment.url);
      const session = cookies.find(({ name }) => name.startsWith('_vercel_passport'));
      expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
    });
  });

  test("jose accepts a deployment's token by issuer, audience and subject, and so does the verifying API", async () => {
    const { demo } = running;
    const answer = await send(`${demo.api}/v1/projects/${demo.project.id}/token?teamId=${demo.team.id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demo.apiToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ environment: demo.deployment.environment, deploymentId: demo.deployment.id }),
    });
    expect(answer.status, answer.text).toBe(200);
    const { token } = answer.json() as { token: string };

    const issuer = `${demo.oidc}/${demo.team.slug}`;
    const audience = `${demo.origin}/${demo.team.slug}`;
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks`));
    const { payload } = await jwtVerify(token, keys, { issuer, audience, subject: subjectOf(running) });
    expect(payload).toMatchObject({ deployment_id: demo.deployment.id, project_id: demo.project.id });
    const otherSubject = subjectOf(running).replace('production', 'preview');
    await expect(jwtVerify(token, keys, { issuer, audience, subject: otherSubject })).rejects.toThrow();

    const ask = (bearer: string) =>
      send(demo.verifyingApi.url, { headers: { authorization: `Bearer ${bearer}` } });
    expect(await ask(token)).toMatchObject({ status: 200, text: `OK, ${subjectOf(running)}` });
    expect(await ask(`${token.slice(0, -4)}AAAA`)).toMatchObject({ status: 401 });
  });

  test('whoever goes around the gateway gets nothing of the deployment', async () => {
    const { demo } = running;
    const answer = await send(demo.deployment.url, { headers: { accept: 'application/json' } });
    expect(answer.status).toBe(401);
    expect(answer.json()).toHaveProperty('error.code');
  });
});

function subjectOf({ demo }: RunningDemo): string {
  return `owner:${demo.team.slug}:project:${demo.project.name}:environment:${demo.deployment.environment}`;
}

/** A browser without history: its cookies are its own. */
async function inNewContext(browser: Browser, visit: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await visit(page);
  } finally {
    await context.close();
  }
}
