import { html } from 'hono/html';
import { publicError } from '#errors';
import type { Bound } from '#database';
import { newDoor, readQuery, type Door } from '#http';
import { choice, hiddenFields, icon, notice, type Markup } from '#pages';
import type { Browser, LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { formActionFor, hostOf } from './destinations.ts';
import { authorizePath } from './login.ts';
import { words } from '../words.ts';

/** What an authorization request asks of a person. */
export type RequestView = {
  app: {
    name: string;
    /** A path at our own origin. */
    logo?: string | undefined;
    teamName: string;
    verified: boolean;
  };
  redirectUri: string;
  /** `words` completes "It will be able to …"; `not` says in a sentence what that does not include. */
  scopes: readonly { name: string; words: string; not?: string | undefined }[];
  /** Resource servers that the app's tokens will be for. */
  resources?: readonly string[];
  /** The person's teams, when they have to choose one that the app may do something in. */
  teams?: readonly { id: string; name: string; isLast: boolean }[] | undefined;
  loginHint?: string | undefined;
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
    const { browser, fields } = await desk.browsers.readForm(context, purposeOf(requestId));
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

function consentBody(desk: Desk, requestId: string, request: RequestView, browser: LoggedIn): Markup {
  const { app, scopes, redirectUri } = request;
  const { user } = browser;
  const refused = scopes.flatMap(({ not }) => (not === undefined ? [] : [not]));
  const action = `${desk.at('/oauth/consent')}?request=${encodeURIComponent(requestId)}`;
  return html`<form id="consent" class="card" method="post" action="${action}">
    ${hiddenFields({ csrf: browser.csrfToken(purposeOf(requestId)) })}
    <div class="pair">
      <div>
        <p class="tile" aria-hidden="true">
          ${app.logo ? html`<img src="${desk.at(app.logo)}" alt="" />` : initialOf(app.name)}
        </p>
        <p class="pair-name">${app.name}</p>
        <p class="quiet">${words.consent.by} ${app.teamName}</p>
      </div>
      ${icon('arrow')}
      <div>
        <p class="tile person" aria-hidden="true">${initialOf(user.name ?? user.email)}</p>
        <p class="pair-name">${user.name ?? user.username}</p>
        <p class="quiet">${words.consent.you}</p>
      </div>
    </div>
    <div>
      <h1>${words.consent.title}</h1>
      <p><strong>${app.name}</strong> ${words.consent.by} ${app.teamName} ${words.consent.sentenceStart}</p>
    </div>
    ${app.verified ? '' : notice('warning', words.consent.unverifiedTitle, words.consent.unverified(app.teamName))}
    <div>
      <h2>${words.consent.learns}</h2>
      <ul class="permissions">
        ${scopes.map(({ name, words: sentence }) => html`<li data-scope="${name}">${icon('good')}<span>${sentence}</span></li>`)}
      </ul>
      ${refused.length > 0 ? html`<p class="refused quiet">${words.consent.notTitle} ${joined(refused)}.</p>` : ''}
    </div>
    ${request.teams === undefined ? '' : teamChoice(request.teams)}
    ${
      request.resources?.length
        ? html`<p class="destination">
            ${words.consent.resources}
            ${request.resources.map((resource) => html`<code data-resource="${resource}">${resource}</code> `)}
          </p>`
        : ''
    }
    <p class="destination">
      ${words.consent.destination} <code id="consent-destination">${hostOf(redirectUri)}</code>
    </p>
    <div class="decision">
      <button type="submit" class="button secondary" id="consent-cancel" name="decision" value="cancel">
        ${words.consent.cancel}
      </button>
      <button
        type="submit"
        class="button primary armed-late"
        id="consent-allow"
        name="decision"
        value="allow"
      >
        ${words.consent.allow}
      </button>
    </div>
    <p class="in-use">
      <span>${words.consent.inUse} <strong>${user.email}</strong></span>
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

function initialOf(name: string): string {
  return [...name.trim()][0]?.toUpperCase() ?? '?';
}

function joined(parts: readonly string[]): string {
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(parts);
}
