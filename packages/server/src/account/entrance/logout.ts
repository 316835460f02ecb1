import { html } from 'hono/html';
import { publicError } from '#errors';
import { newDoor, readQuery, type Door } from '#http';
import { button, hiddenFields, type Markup } from '#pages';
import type { Browser, LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { words } from '../words.ts';
import { formActionFor, hostOf } from './destinations.ts';

/** An app's request to log the person out, as far as it concerns them. */
export type EndSessionView = {
  /** Undefined when no app is known to have asked. */
  app: { name: string } | undefined;
  /** Where they will be sent; undefined: nowhere. */
  destination: string | undefined;
};

/** What the authorization server lets this page do. Both throw a PublicError when the request is unknown or over. */
export type EndSessionRequests = {
  describe(requestId: string): Promise<EndSessionView>;
  /** Ends the session. The destination, if there is one. */
  confirm(requestId: string, browser: Browser, reference: string): Promise<string | undefined>;
};

/** The page of RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0, 2): nobody is logged out unasked. */
export function createLogoutDoor(needs: { desk: Desk; endSessionRequests: EndSessionRequests }): Door {
  const { desk, endSessionRequests } = needs;
  const door = newDoor(pageErrors(desk.pages));

  door.get('/oauth/logout/confirm', async (context) => {
    const requestId = requestIdOf(readQuery(context));
    const view = await endSessionRequests.describe(requestId);
    const browser = await desk.browsers.read(context);
    if (!isLoggedIn(browser)) return desk.goTo(context, '/oauth/logout/done');
    return desk.show(
      context,
      desk.pages.page({
        title: words.logout.title,
        formAction: view.destination === undefined ? [] : formActionFor(view.destination),
        body: confirmBody(desk, requestId, view, browser),
      }),
    );
  });

  door.post('/oauth/logout/confirm', async (context) => {
    const requestId = requestIdOf(readQuery(context));
    const { browser } = await desk.browsers.readForm(context, purposeOf(requestId));
    const destination = await endSessionRequests.confirm(requestId, browser, context.get('reference'));
    desk.browsers.forget(context);
    return destination === undefined
      ? desk.goTo(context, '/oauth/logout/done')
      : context.redirect(destination, 303);
  });

  door.get('/oauth/logout/done', async (context) => {
    // Somebody who is logged in is told no untruth.
    if (isLoggedIn(await desk.browsers.read(context))) return desk.goTo(context, '/account');
    return desk.show(
      context,
      desk.pages.page({
        title: words.logout.doneTitle,
        body: html`<div class="card" id="logged-out">
          <h1>${words.logout.doneTitle}</h1>
          <p>${words.logout.done}</p>
          <p><a href="${desk.at('/login')}">${words.logout.logIn}</a></p>
        </div>`,
      }),
    );
  });

  return door;
}

function confirmBody(desk: Desk, requestId: string, view: EndSessionView, browser: LoggedIn): Markup {
  const action = `${desk.at('/oauth/logout/confirm')}?request=${encodeURIComponent(requestId)}`;
  return html`<form id="logout" class="card" method="post" action="${action}">
    ${hiddenFields({ csrf: browser.csrfToken(purposeOf(requestId)) })}
    <h1>${words.logout.title}</h1>
    ${view.app ? html`<p><strong>${view.app.name}</strong> ${words.logout.askedBy}</p>` : ''}
    <p>${words.logout.ends}</p>
    ${
      view.destination === undefined
        ? ''
        : html`<p class="destination">
            ${words.logout.destination} <code id="logout-destination">${hostOf(view.destination)}</code>
          </p>`
    }
    <div class="decision">
      <a class="button secondary" id="logout-stay" href="${desk.at('/account')}">${words.logout.stay}</a>
      ${button({ id: 'logout-confirm', label: words.logout.confirm })}
    </div>
    <p class="in-use">
      <span>${words.logout.inUse} <strong>${browser.user.email}</strong></span>
    </p>
  </form>`;
}

function requestIdOf(parameters: ReadonlyMap<string, string>): string {
  const requestId = parameters.get('request');
  if (requestId === undefined) throw publicError('end_session_request_gone');
  return requestId;
}

/** A form that was made for one request confirms no other. */
function purposeOf(requestId: string): string {
  return `logout:${requestId}`;
}
