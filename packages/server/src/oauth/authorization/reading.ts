import type { App } from '#apps';
import { OAuthError, oauthError } from '#errors';
import type { AuthorizationParameters, PushedRequest } from '#requests';
import type { AnswerPlace } from './answering.ts';
import type { VerifyIdTokenHint } from './id-token-hint.ts';
import { parseParameters, parseResponseMode, parseState } from './parsing.ts';

type Sent = ReadonlyMap<string, string>;

/** A request whose app and redirect URI are known to be good: what it asks for, or what is wrong with it. */
export type ReadRequest =
  | { place: AnswerPlace; parameters: AuthorizationParameters }
  | { place: AnswerPlace; error: OAuthError };

export type Reading = (
  sent: Sent,
  app: App,
  redirectUri: string,
  pushed: PushedRequest | undefined,
) => Promise<ReadRequest>;

/** Reads everything but the client and its redirect URI: what is wrong here, the app may be told. */
export function createReading(needs: { api: string; verifyHint: VerifyIdTokenHint }): Reading {
  return async (sent, app, redirectUri, pushed) => {
    const responseMode = parseResponseMode(sent, app, redirectUri);
    const place: AnswerPlace = {
      redirectUri,
      responseMode: responseMode instanceof OAuthError ? 'query' : responseMode,
      state: parseState(sent),
    };
    try {
      if (responseMode instanceof OAuthError) throw responseMode;
      if (pushed === undefined && app.requirePushedAuthorizationRequests) {
        throw oauthError(
          'invalid_request',
          'This app pushes its authorization requests (RFC 9126). Expected a request_uri of the pushed authorization request endpoint',
        );
      }
      const parameters = parseParameters(sent, app, { redirectUri, responseMode, api: needs.api });
      if (pushed !== undefined) parameters.pushedRequestId = pushed.id;
      const hint = sent.get('id_token_hint');
      if (hint !== undefined) {
        const { sub } = await needs.verifyHint(hint);
        if ((parameters.hintedUserId ?? sub) !== sub) {
          throw oauthError('invalid_request', "Parameter 'id_token_hint'. 'claims' asks for another user");
        }
        parameters.hintedUserId = sub;
      }
      return { place, parameters };
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return { place, error };
    }
  };
}

/**
 * What goes on through login with a request that cannot be answered as asked: an app that vouches for itself alone
 * is told what is wrong only after it (RFC 9700, 4.11.2), or its address would be one that we redirect strangers to.
 */
export function refusedParameters(
  app: App,
  { place, error }: Extract<ReadRequest, { error: OAuthError }>,
  sent: Sent,
): AuthorizationParameters {
  return {
    clientId: app.id,
    redirectUri: place.redirectUri,
    responseMode: place.responseMode,
    scopes: [],
    resources: [],
    prompts: sent.get('prompt') === 'none' ? ['none'] : [],
    ...(place.state === undefined ? {} : { state: place.state }),
    refusal: { error: error.error, description: error.description },
  };
}

/** What waits for a login before its app is known: the metadata document is read for nobody else. */
export function unreadParameters(clientId: string, sent: Sent): AuthorizationParameters {
  return {
    clientId,
    redirectUri: sent.get('redirect_uri') ?? '',
    responseMode: 'query',
    scopes: [],
    resources: [],
    prompts: [],
    unread: Object.fromEntries(sent),
  };
}
