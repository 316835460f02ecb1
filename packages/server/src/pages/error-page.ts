import { html } from 'hono/html';
import { timeline, type TimelineStep } from './components.ts';
import { readStyle } from './assets.ts';
import { renderPage, type Layout, type Page, type Styling } from './layout.ts';
import type { Markup } from './markup.ts';
import { words } from './words.ts';

/** What an error page says. `answerOf(error)` of the http room gives the first five. */
export type ErrorFacts = {
  status: number;
  code: string;
  title: string;
  /** What was received and what was expected. */
  description: string;
  mend?: string;
  /** Finds the attempt or the request. */
  reference: string;
  headers?: Record<string, string>;
  /** Where to go on from here. Only addresses of our own. */
  next?: { href: string; label: string };
  steps?: readonly TimelineStep[];
};

/** An error without a description of its own has its title for one. */
const saysMore = ({ title, description }: ErrorFacts): boolean => description !== title;

/** What an error page shows. */
export function errorBody(facts: ErrorFacts): Markup {
  return html`<article class="card error">
    <p class="error-status" aria-hidden="true">${facts.status}</p>
    <h1>${facts.title}</h1>
    ${saysMore(facts) ? html`<p id="error-description">${facts.description}</p>` : ''}
    ${
      facts.mend
        ? html`<div class="mend">
            <h2>${words.mendTitle}</h2>
            <p id="error-mend">${facts.mend}</p>
          </div>`
        : ''
    }
    ${facts.steps && facts.steps.length > 0 ? timeline(facts.steps) : ''}
    ${facts.next ? html`<p><a class="button primary" href="${facts.next.href}">${facts.next.label}</a></p>` : ''}
    <dl class="error-facts">
      <div>
        <dt>${words.errorCode}</dt>
        <dd><code id="error-code">${facts.code}</code></dd>
      </div>
      <div>
        <dt>${words.errorReference}</dt>
        <dd><code id="error-reference">${facts.reference}</code></dd>
      </div>
    </dl>
  </article>`;
}

/** The same page in two dresses: with our files at our origin, with nothing to load elsewhere. */
export function renderErrorPage(facts: ErrorFacts, styling: Styling): Page {
  const body = errorBody(facts);
  return renderPage(
    { title: facts.title, body, status: facts.status, ...(facts.headers && { headers: facts.headers }) },
    styling,
  );
}

const inline: Styling = { kind: 'inline', style: readStyle() };

/** An error page for hosts that are not ours, such as a deployment's: it carries its style and loads nothing. */
export function errorPage(facts: ErrorFacts): Page {
  return renderErrorPage(facts, inline);
}

/** Any other page for such a host. */
export function inlinePage(layout: Layout): Page {
  return renderPage(layout, inline);
}
