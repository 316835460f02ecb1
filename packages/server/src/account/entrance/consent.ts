import { html } from 'hono/html';
import { publicError } from '#errors';
import type { Bound } from '#database';
import { newDoor, readQuery, type Door } from '#http';
import { choice, hiddenFields, notice, type Markup } from '#pages';
import type { Browser, LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import {
  aboutList,
  decisionButtons,
  parties,
  permissionList,
  request,
  resourceList,
  type AskedScope,
  type AskingApp,
} from './consent-parts.ts';
import { formActionFor, hostOf } from './destinations.ts';
import { authorizePath } from './login.ts';
import { keepOpenerOf } from './opener.ts';
import { words } from '../words.ts';

/** What an authorization request asks of a person. */
export type RequestView = {
  app: AskingApp;
  redirectUri: string;
  scopes: readonly AskedScope[];
  /** Resource servers that the app's tokens will be for. */
  resources?: readonly string[];
  /** The person's teams, when they have to choose one that the app may do something in. */
  teams?: readonly { id: string; name: string; isLast: boolean }[] | undefined;
  loginHint?: string | undefined;
  /** The answer goes to the window that opened this one: no page may part the two. */
  keepsOpener?: boolean;
};

/** What the authorization server lets these pages do with a request that waits. Each throws a PublicError when the
 * request is unknown, over, or another browser's. */
export type SignIn = {
  describe(requestId: string, browser: Browser): Promise<RequestView>;
  approve(requestId: string, browser: LoggedIn, chosen: { teamId?: string | undefined }): Promise<void>;
  cancel(requestId: string, browser: Browser): Promise<void>;
  /** Writes the login into the timeline of the attempt. */
  loginStep?(
    requestId: string,
    browser: Browser,
    outcome: 'ok' | 'failed',
  ): Promise<Bound<unknown> | undefined>;
};

export function createConsentDoor({ desk, signIn }: { desk: Desk; signIn: SignIn }): Door {
  const door = newDoor(pageErrors(desk.pages));

  door.get('/oauth/consent', async (context) => {
    const requestId = requestIdOf(readQuery(context));
    const browser = await desk.browsers.read(context);
    const request = await signIn.describe(requestId, browser);
    if (request.keepsOpener) context.set('keepsOpener', true);
    if (!isLoggedIn(browser)) return desk.goTo(context, loginPath(requestId));
    return desk.show(
      context,
      desk.pages.page({
        title: words.consent.title,
        formAction: formActionFor(request.redirectUri),
        body: consentBody(desk, requestId, request, browser),
      }),
    );
  });

  door.post('/oauth/consent', async (context) => {
    // The purpose holds the request's id: a token of one request decides no other.
    const requestId = requestIdOf(readQuery(context));
    const { browser, fields } = await desk.browsers
      .readForm(context, purposeOf(requestId))
      .catch(keepOpenerOf(context, { desk, signIn }));
    const decision = fields.get('decision');
    if (decision === 'cancel') {
      await signIn.cancel(requestId, browser);
    } else if (decision === 'allow') {
      if (!isLoggedIn(browser)) return desk.goTo(context, loginPath(requestId));
      await signIn.approve(requestId, browser, { teamId: fields.get('team') });
    } else {
      throw publicError('bad_request', {
        description: `The decision '${decision ?? ''}' was received. Expected 'allow' or 'cancel'.`,
      });
    }
    return desk.goTo(context, authorizePath(requestId));
  });

  return door;
}

function consentBody(desk: Desk, requestId: string, view: RequestView, browser: LoggedIn): Markup {
  const action = `${desk.at('/oauth/consent')}?request=${encodeURIComponent(requestId)}`;
  return html`<form id="consent" class="card" method="post" action="${action}">
    ${hiddenFields({ csrf: browser.csrfToken(purposeOf(requestId)) })} ${parties(desk, view.app, browser)}
    ${request(view.app, words.consent.title, words.consent.sentenceStart)} ${permissionList(view.scopes)}
    ${view.teams === undefined ? '' : teamChoice(view.teams)} ${resourceList(view.resources)}
    ${aboutList(view.app)}
    <p class="destination">
      ${words.consent.destination} <code id="consent-destination">${hostOf(view.redirectUri)}</code>
    </p>
    ${decisionButtons()}
    <p class="in-use">
      <span>${words.consent.inUse} <strong>${browser.user.email}</strong></span>
      <a href="${desk.at(loginPath(requestId))}">${words.consent.switchAccount}</a>
    </p>
  </form>`;
}

/** With one team there is nothing to choose, but the person sees which one it is about. */
function teamChoice(teams: readonly { id: string; name: string; isLast: boolean }[]): Markup {
  if (teams.length === 0) return notice('warning', words.consent.noTeamTitle, words.consent.noTeam);
  return choice({
    name: 'team',
    label: words.consent.team,
    options: teams.map(({ id, name }) => ({ value: id, label: name })),
    value: teams.find(({ isLast }) => isLast)?.id,
  });
}

function requestIdOf(parameters: ReadonlyMap<string, string>): string {
  const requestId = parameters.get('request');
  if (requestId === undefined) {
    throw publicError('bad_request', {
      description:
        "The parameter 'request' is missing. This page belongs to a sign-in that an app has begun.",
      mend: 'Start again from the app.',
    });
  }
  return requestId;
}

function purposeOf(requestId: string): string {
  return `consent:${requestId}`;
}

function loginPath(requestId: string): string {
  return `/login?request=${encodeURIComponent(requestId)}`;
}
