import { html } from 'hono/html';
import { button, field, hiddenFields, notice, type Layout, type Markup } from '#pages';
import type { RequestHost } from '../request/host.ts';

/** What the page says beside the form, after a try that did not get through. */
export type PasswordProblem = {
  readonly status: number;
  readonly meaning: 'danger' | 'warning';
  readonly title: string;
  readonly text: string;
  readonly reference: string;
  readonly headers?: Record<string, string>;
};

/** The page that asks for a deployment's password. It works without scripts and loads nothing. */
export function passwordPage(at: {
  host: RequestHost;
  /** Where the form is sent, and what it carries along: where to go on to. */
  action: string;
  way: string;
  /** Where the page that was asked for may lead on to, by redirects of its own: sources for the CSP. */
  formAction: readonly string[];
  problem?: PasswordProblem | undefined;
}): Layout {
  const { host, problem } = at;
  return {
    // Heard first by those who do not see the page.
    title: problem?.title ?? 'Password needed',
    status: problem?.status ?? 200,
    formAction: at.formAction,
    ...(problem?.headers === undefined ? {} : { headers: problem.headers }),
    body: html`<article class="card">
      <h1>This page has a password</h1>
      <p class="quiet">Whoever sent you to <code>${host.name}</code> can tell you the password.</p>
      ${problem === undefined ? '' : notice(problem.meaning, problem.title, problem.text)}
      <form id="password" method="post" action="${at.action}">
        ${hiddenFields({ to: at.way })}
        ${field({
          name: 'password',
          label: 'Password',
          type: 'password',
          autocomplete: 'current-password',
          autofocus: true,
        })}
        ${button({ id: 'password-submit', label: 'Open the page' })}
      </form>
      ${problem === undefined ? '' : referenceLine(problem.reference)}
    </article>`,
  };
}

function referenceLine(reference: string): Markup {
  return html`<dl class="error-facts">
    <div>
      <dt>Reference</dt>
      <dd><code id="error-reference">${reference}</code></dd>
    </div>
  </dl>`;
}
