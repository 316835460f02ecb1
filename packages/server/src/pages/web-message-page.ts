import { html } from 'hono/html';
import { errorBody } from './error-page.ts';
import { renderPage, type Page, type Styling } from './layout.ts';
import { words } from './words.ts';

/** What a popup posts to the window that opened it. */
export type WebMessage = {
  /** The one origin that may receive it, as a browser writes origins. */
  targetOrigin: string;
  /** Posted as an object. */
  data: Readonly<Record<string, unknown>>;
  reference: string;
};

/** Nobody can tell here whether there is an opener: the page is an error page until its script finds one. */
export function renderWebMessagePage(message: WebMessage, styling: Styling): Page {
  return renderPage(
    {
      title: words.webMessage.title,
      keepsOpener: true,
      postsToOpener: true,
      body: html`<div
          class="card"
          id="web-message"
          data-origin="${message.targetOrigin}"
          data-message="${JSON.stringify(message.data)}"
          hidden
        >
          <h1>${words.webMessage.title}</h1>
          <p>${words.webMessage.sent}</p>
        </div>
        ${errorBody({
          status: 400,
          code: words.webMessage.lostCode,
          title: words.webMessage.lostTitle,
          description: words.webMessage.lost,
          mend: words.webMessage.lostMend,
          reference: message.reference,
        })}`,
    },
    styling,
  );
}
