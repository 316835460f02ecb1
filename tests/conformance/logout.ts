import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { textOf } from '../harness/html.ts';
import type { Answer } from '../harness/send.ts';
import { createVisitor, isRedirect, type Visitor } from '../harness/visitor.ts';
import { createClient, expectError, type Metadata, type Suite, type SuiteClient } from './suite.ts';

export type LogoutClient = SuiteClient & { postLogoutRedirectUri: string };
export type LogoutMetadata = Metadata & { end_session_endpoint: string };

/** A client that may send people back after their log-out. */
export async function createLogoutClient(
  suite: Suite,
  name: string,
  more: { backchannelLogoutUri?: string } = {},
): Promise<LogoutClient> {
  const postLogoutRedirectUri = `https://${name.toLowerCase()}.client.example/signed-out`;
  const client = await createClient(suite.world, {
    name,
    postLogoutRedirectUris: [postLogoutRedirectUri],
    ...more,
  });
  return { ...client, postLogoutRedirectUri };
}

/** Someone logs in in a browser of their own; what the client then sends them to the end-session endpoint with. */
export async function logInForLogout(suite: Suite, client: LogoutClient) {
  const visitor = createVisitor();
  const { tokens, claims } = await suite.signIn({}, visitor, client);
  return {
    visitor,
    claims,
    parameters: {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: client.postLogoutRedirectUri,
      // Long, as the suite has it: it must come back as it was.
      state: randomBytes(96).toString('base64url'),
    },
  };
}

export type LogoutOutcome = {
  /** Whether the person was asked. */
  isConfirmed: boolean;
  /** Where they were sent, when that was away from the server. */
  sentTo: URL | undefined;
  page: Answer | undefined;
};

/** Sends a browser to the end-session endpoint, says yes where it asks, and follows to the end. */
export async function passLogout(
  suite: Suite,
  visitor: Visitor,
  parameters: Readonly<Record<string, string | undefined>>,
): Promise<LogoutOutcome> {
  const { end_session_endpoint: endpoint, issuer } = suite.metadata as LogoutMetadata;
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const isElsewhere = (target: URL): boolean => target.origin !== issuer;
  let answer = await visitor.visit(url, isElsewhere);
  let isConfirmed = false;
  if (!isRedirect(answer) && answer.text.includes('id="logout-confirm"')) {
    isConfirmed = true;
    const [, formId = ''] =
      /<form\b[^>]*\bid="([^"]+)"(?:(?!<\/form>)[\s\S])*id="logout-confirm"/.exec(answer.text) ?? [];
    answer = await visitor.follow(await visitor.submit(answer, formId, {}, 'logout-confirm'), isElsewhere);
  }
  return isRedirect(answer)
    ? { isConfirmed, sentTo: answer.location(), page: undefined }
    : { isConfirmed, sentTo: undefined, page: answer };
}

/** With `prompt=none`, the client learns that nobody is logged in. */
export async function expectLoggedOut(suite: Suite, visitor: Visitor, client: SuiteClient): Promise<void> {
  expectError(suite, await suite.authorize({ prompt: 'none' }, visitor, client), 'login_required');
}

/** The way ended on a page of the server: an error, or the question whether to log out. Never at the client. */
export function expectNotSentBack({ sentTo, page, isConfirmed }: LogoutOutcome): void {
  expect(sentTo).toBeUndefined();
  expect(page === undefined ? '' : textOf(page.text)).not.toBe('');
  if (!isConfirmed) expect(page?.status).toBeGreaterThanOrEqual(400);
}
