import { html } from 'hono/html';
import {
  passportEndSessionLifetimeMilliseconds,
  passportEndSessionPurpose,
  type PassportEndSession,
} from '#attempts';
import type { Bound } from '#database';
import { publicError } from '#errors';
import { button, type Layout } from '#pages';
import type { VisitorSession } from '#visitors';
import { isNavigation } from '../answers.ts';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';
import { valueOf } from '../request/header-list.ts';
import type { RequestHost } from '../request/host.ts';
import type { SentRequest } from '../request/sent-request.ts';
import type { OwnCookies } from './own-cookies.ts';

type Goodbye = { action: string; code: string; statement: Bound<unknown> };

/**
 * Ends the visitor's session at this host. A link on a page of this host and an address that a person types do it at
 * once; somebody else's link asks first, so that no other site can sign a visitor out, and so does what loads the
 * address without showing it.
 *
 * @throws {PublicError} `cross_origin`, `request_not_forwarded`
 */
export async function signOut(
  needs: Pick<GatewayNeeds, 'audit' | 'codes' | 'database' | 'urls' | 'visitors'> & {
    ownCookies: OwnCookies;
  },
  request: SentRequest,
  at: {
    host: RequestHost;
    site: Site;
    cookies: RequestCookies;
    session: VisitorSession | undefined;
    signOutPath: string;
    reference: string;
  },
): Promise<{ page: Layout; cookies: string[] }> {
  const origin = valueOf(request.rawHeaders, 'origin');
  const from = valueOf(request.rawHeaders, 'sec-fetch-site');
  const own = from === undefined || from === 'same-origin';
  if (request.method === 'GET') {
    // An image, a script or a prefetch of this very host is nobody's wish to leave.
    const meant = isNavigation(request) && (own || from === 'none');
    if (!meant) return { page: confirmation(at.host, at.signOutPath, own || from === 'none'), cookies: [] };
  } else if (request.method === 'POST') {
    if (!own || (origin !== undefined && origin !== at.host.origin)) {
      throw publicError('cross_origin', { description: 'The sign-out was sent from another site.' });
    }
  } else {
    throw publicError('request_not_forwarded', { headers: { allow: 'GET, POST' } });
  }
  const { session } = at;
  const goodbye = session === undefined ? undefined : prepareGoodbye(needs, session);
  if (session !== undefined) {
    await needs.database.write([
      ...(goodbye === undefined ? [] : [goodbye.statement]),
      ...needs.visitors.end(session.id, 'sign-out'),
      needs.audit.record({
        actor: session.externalSub,
        action: 'passport-session.end',
        object: session.id,
        teamId: at.site.team.id,
        after: { by: 'sign-out', host: at.host.name },
        reference: at.reference,
      }),
    ]);
  }
  return { page: signedOut(at.host, goodbye), cookies: needs.ownCookies.deleteSession(at.cookies) };
}

function confirmation(host: RequestHost, path: string, isOwn: boolean): Layout {
  return {
    title: 'Sign out',
    body: html`<article class="card">
      <h1>Sign out of <code>${host.name}</code>?</h1>
      ${isOwn ? '' : html`<p>Another site sent you here.</p>`}
      <form id="sign-out" method="post" action="${path}">
        ${button({ id: 'sign-out-submit', label: 'Sign out' })}
      </form>
      <p><a class="button secondary" href="${host.origin}/">Stay signed in</a></p>
    </article>`,
  };
}

/** The way on to the provider's own sign-out, where it has one and gave us what that takes. */
function prepareGoodbye(
  needs: Pick<GatewayNeeds, 'codes' | 'urls'>,
  { connectorId, externalSub, providerTokens }: VisitorSession,
): Goodbye | undefined {
  if (providerTokens?.endsSession !== true) return undefined;
  const { secret, statement } = needs.codes.issue<PassportEndSession>(
    passportEndSessionPurpose,
    { connectorId, externalSub, providerTokens },
    passportEndSessionLifetimeMilliseconds,
  );
  return { action: `${needs.urls.connect}/end-session`, code: secret, statement };
}

function signedOut(host: RequestHost, goodbye: Goodbye | undefined): Layout {
  return {
    title: 'Signed out',
    ...(goodbye === undefined ? {} : { formAction: [new URL(goodbye.action).origin] }),
    body: html`<article class="card">
      <h1>You are signed out</h1>
      <p id="signed-out">
        Your session at <code>${host.name}</code> has ended. At your identity provider you may still be signed
        in.
      </p>
      ${
        goodbye === undefined
          ? ''
          : html`<form id="end-session" method="post" action="${goodbye.action}">
              <input type="hidden" name="code" value="${goodbye.code}" />
              ${button({ id: 'end-session-submit', label: 'Sign out there too', kind: 'secondary' })}
            </form>`
      }
      <p><a class="button primary" href="${host.origin}/">Sign in again</a></p>
    </article>`,
  };
}
