import { isVerifiedApp, type App, type Apps } from '#apps';
import { OAuthError, publicError } from '#errors';
import type { IdTokenHint } from '../authorization/id-token-hint.ts';

/** A validated request (OpenID Connect RP-Initiated Logout 1.0, 2), stored while the person is asked. */
export type EndSessionRequest = {
  clientId: string | undefined;
  /** Where the person is sent after it, with `state`: one of the app's registered URIs. */
  destination: string | undefined;
  /** The app vouches for itself alone: its URI is gone to only after a login that it is part of, or when confirmed. */
  isUnverified: boolean;
  /** The login that the app means. */
  hint: { sub: string; sid: string | undefined } | undefined;
};

const longestState = 2_048;

/**
 * Validates what was sent. A redirect URI counts only together with an app, known by the hint or by `client_id`;
 * without one it is passed over, since anybody could have written it. Throws PublicError
 * `end_session_request_invalid` or `post_logout_redirect_uri_not_registered`.
 */
export async function parseEndSessionRequest(
  sent: ReadonlyMap<string, string>,
  needs: { findApp: Apps['find']; verifyHint: (idTokenHint: string) => Promise<IdTokenHint> },
): Promise<EndSessionRequest> {
  const idTokenHint = sent.get('id_token_hint');
  const hint = idTokenHint === undefined ? undefined : await verifyHint(idTokenHint, needs.verifyHint);
  const clientId = sent.get('client_id');
  if (hint !== undefined && clientId !== undefined && hint.clientId !== clientId) {
    throw invalid(
      "Parameter 'client_id'. It is not the app that the ID token of 'id_token_hint' was issued to",
    );
  }
  const state = sent.get('state');
  if (state !== undefined && state.length > longestState) {
    throw invalid(`Parameter 'state'. state must be at most ${longestState} characters`);
  }
  const meantId = clientId ?? hint?.clientId;
  const app = meantId === undefined ? undefined : await needs.findApp(meantId);
  if (meantId !== undefined && app === undefined) {
    throw invalid(`Parameter 'client_id'. No app is registered as '${meantId.slice(0, 100)}'`);
  }
  const redirectUri = sent.get('post_logout_redirect_uri');
  return {
    clientId: app?.id,
    destination:
      app === undefined || redirectUri === undefined ? undefined : destinationOf(app, redirectUri, state),
    isUnverified: app !== undefined && !isVerifiedApp(app),
    hint: hint && { sub: hint.sub, sid: hint.sid },
  };
}

/** Compared as strings, exactly (3). */
function destinationOf(app: App, redirectUri: string, state: string | undefined): string {
  if (!app.postLogoutRedirectUris.includes(redirectUri)) {
    const received = redirectUri.slice(0, 500).replaceAll(/[^\x20-\x7e]/g, '?');
    throw publicError('post_logout_redirect_uri_not_registered', {
      description: `The post-logout redirect URI is not registered for the app "${app.name}". Received: ${received}`,
    });
  }
  if (state === undefined) return redirectUri;
  const joint = redirectUri.includes('?') ? '&' : '?';
  return `${redirectUri}${joint}${new URLSearchParams({ state }).toString()}`;
}

async function verifyHint(
  idTokenHint: string,
  verify: (idTokenHint: string) => Promise<IdTokenHint>,
): Promise<IdTokenHint> {
  try {
    return await verify(idTokenHint);
  } catch (cause) {
    if (!(cause instanceof OAuthError)) throw cause;
    throw invalid(cause.description, cause);
  }
}

function invalid(description: string, cause?: unknown) {
  return publicError('end_session_request_invalid', {
    description,
    ...(cause === undefined ? {} : { cause }),
  });
}
