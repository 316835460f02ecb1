import { webMessageResponseMode, type ResponseMode } from '@tessera/protocol';
import { html } from 'hono/html';
import type { OAuthError } from '#errors';
import type { DoorContext } from '#http';
import type { Pages } from '#pages';

/** Where an answer goes and how. */
export type AnswerPlace = { redirectUri: string; responseMode: ResponseMode; state?: string | undefined };

export type Answering = {
  /** RFC 6749, 4.1.2. */
  code(context: DoorContext, place: AnswerPlace, code: string): Response;
  /** RFC 6749, 4.1.2.1. */
  error(context: DoorContext, place: AnswerPlace, error: Pick<OAuthError, 'error' | 'description'>): Response;
};

/** Answers of the authorization endpoint: each carries `iss` (RFC 9207), and goes by 303 (RFC 9700, 4.12). */
export function createAnswering(needs: {
  issuer: string;
  pages: Pick<Pages, 'page' | 'webMessagePage'>;
}): Answering {
  function answer(context: DoorContext, place: AnswerPlace, parameters: Record<string, string>): Response {
    const all = {
      ...parameters,
      ...(place.state === undefined ? {} : { state: place.state }),
      iss: needs.issuer,
    };
    if (place.responseMode === 'form_post') return post(context, place.redirectUri, all);
    if (place.responseMode === webMessageResponseMode) return postMessage(context, place.redirectUri, all);
    // By string, not by a parsed URL: the registered URI goes out as it was registered.
    const joint = place.redirectUri.includes('?') ? '&' : '?';
    return context.redirect(`${place.redirectUri}${joint}${new URLSearchParams(all).toString()}`, 303);
  }

  /** OAuth 2.0 Form Post Response Mode: a form that sends itself, and has a button where scripts are off. */
  function post(context: DoorContext, redirectUri: string, parameters: Record<string, string>): Response {
    const { origin, protocol, host } = new URL(redirectUri);
    const page = needs.pages.page({
      title: 'Back to the app',
      submitsItself: true,
      // A private scheme has no origin.
      formAction: [origin === 'null' ? protocol : origin],
      body: html`<form class="card" method="post" action="${redirectUri}">
        <h1>Back to the app</h1>
        <p>You are being sent back to <span class="mono">${host || redirectUri}</span>.</p>
        ${Object.entries(parameters).map(
          ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
        )}
        <button class="primary" type="submit">Continue</button>
      </form>`,
    });
    return context.body(page.body, page.status as 200, page.headers);
  }

  /**
   * draft-meyerzuselha-oauth-web-message-response-mode: to the window that opened the popup, and there to the exact
   * origin of the redirect URI.
   */
  function postMessage(
    context: DoorContext,
    redirectUri: string,
    parameters: Record<string, string>,
  ): Response {
    const page = needs.pages.webMessagePage({
      targetOrigin: new URL(redirectUri).origin,
      data: { type: 'authorization_response', response: parameters },
      reference: context.get('reference'),
    });
    return context.body(page.body, page.status as 200, page.headers);
  }

  return {
    code: (context, place, code) => answer(context, place, { code }),
    error: (context, place, { error, description }) =>
      answer(context, place, { error, error_description: printable(description) }),
  };
}

/** RFC 6749, 4.1.2.1 allows %x20-21 / %x23-5B / %x5D-7E in a description. */
function printable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\\', '/')
    .replaceAll(/[^\x20-\x7e]/g, '?');
}
