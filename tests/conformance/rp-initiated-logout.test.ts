import { generateKeyPair, SignJWT } from 'jose';
import { expect } from 'vitest';
import { verifyDiscovery } from './discovery.ts';
import {
  createLogoutClient,
  expectLoggedOut,
  expectNotSentBack,
  logInForLogout,
  passLogout,
  type LogoutClient,
} from './logout.ts';
import { describePlan, type DefineModule } from './plan.ts';
import { plans } from './plans.ts';
import type { Suite } from './suite.ts';

describePlan(plans.rpInitiatedLogout, 'sqlite', defineModules);

function defineModules(module: DefineModule): void {
  const define = forClient(module);

  module('oidcc-rp-initiated-logout-discovery-endpoint-verification', async ({ metadata }) => {
    const { end_session_endpoint: endpoint } = await verifyDiscovery(metadata.issuer);
    expect(new URL(endpoint as string).origin).toBe(metadata.issuer);
  });

  define('oidcc-rp-initiated-logout', async (suite, client) => {
    const { visitor, parameters } = await logInForLogout(suite, client);
    const { sentTo } = await passLogout(suite, visitor, parameters);
    const expected = new URL(client.postLogoutRedirectUri);
    expected.searchParams.set('state', parameters.state);
    expect(sentTo?.href).toBe(expected.href);
    await expectLoggedOut(suite, visitor, client);
  });

  define('oidcc-rp-initiated-logout-no-state', async (suite, client) => {
    const { visitor, parameters } = await logInForLogout(suite, client);
    const { sentTo } = await passLogout(suite, visitor, { ...parameters, state: undefined });
    expect(sentTo?.href).toBe(client.postLogoutRedirectUri);
    await expectLoggedOut(suite, visitor, client);
  });

  /** Each goes nowhere, and ends on a page; those after which one is logged out, and those that say what is wrong. */
  const withoutRedirect: [string, Changes, 'logged out' | 'refused'][] = [
    ['no-post-logout-redirect-uri', () => ({ post_logout_redirect_uri: undefined }), 'logged out'],
    ['only-state', () => ({ id_token_hint: undefined, post_logout_redirect_uri: undefined }), 'logged out'],
    [
      'no-params',
      () => ({ id_token_hint: undefined, post_logout_redirect_uri: undefined, state: undefined }),
      'logged out',
    ],
    ['bad-post-logout-redirect-uri', (_, uri) => ({ post_logout_redirect_uri: `${uri}/other` }), 'refused'],
    [
      'query-added-to-post-logout-redirect-uri',
      (_, uri) => ({ post_logout_redirect_uri: `${uri}?foo=bar` }),
      'refused',
    ],
    ['no-id-token-hint', () => ({ id_token_hint: undefined }), 'refused'],
    ['modified-id-token-hint', (hint) => ({ id_token_hint: withoutSignature(hint) }), 'refused'],
    ['bad-id-token-hint', async (hint) => ({ id_token_hint: await signedByAnother(hint) }), 'refused'],
  ];
  for (const [name, change, expected] of withoutRedirect) {
    define(`oidcc-rp-initiated-logout-${name}`, async (suite, client) => {
      const { visitor, parameters } = await logInForLogout(suite, client);
      const changes = await change(parameters.id_token_hint, client.postLogoutRedirectUri);
      const outcome = await passLogout(suite, visitor, { ...parameters, ...changes });
      expect(outcome.sentTo).toBeUndefined();
      if (expected === 'refused') {
        expectNotSentBack(outcome);
      } else {
        expect(outcome.page?.status).toBe(200);
        await expectLoggedOut(suite, visitor, client);
      }
    });
  }
}

type Changes = (
  idTokenHint: string,
  postLogoutRedirectUri: string,
) => Record<string, string | undefined> | Promise<Record<string, string | undefined>>;

/** One client for all modules of the plan. */
function forClient(module: DefineModule) {
  let client: Promise<LogoutClient> | undefined;
  return (name: string, run: (suite: Suite, client: LogoutClient) => Promise<void>): void =>
    module(name, async (suite) => {
      client ??= createLogoutClient(suite, 'Leaving');
      await run(suite, await client);
    });
}

function withoutSignature(idToken: string): string {
  const [header = '', payload = ''] = idToken.split('.');
  const members = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  return `${Buffer.from(JSON.stringify({ ...members, alg: 'none' })).toString('base64url')}.${payload}.`;
}

async function signedByAnother(idToken: string): Promise<string> {
  const [header = '', payload = ''] = idToken.split('.');
  const { privateKey } = await generateKeyPair('RS256');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  return new SignJWT(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>)
    .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
    .sign(privateKey);
}
