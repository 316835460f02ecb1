import type { ConnectorTestReport } from '@tessera/contract';
import { html } from 'hono/html';
import { newDoor, type Door } from '#http';
import { button, card, definitionList, hiddenFields, notice, time, type Markup, type Page } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { formActionFor } from '../entrance/destinations.ts';
import { words } from '../words.ts';
import { accountPage } from './frame.ts';

type TestView = {
  test: { expiresAt: number; reference: string | undefined; report: ConnectorTestReport | undefined };
  state: 'waiting' | 'running' | 'finished' | 'expired';
  connector: { name: string; issuer: string; authorizationEndpoint: string };
};

/** A person's own live tests of connectors. */
export type AccountLiveTests = {
  /** Throws `not_found` for everybody but the person who prepared it. */
  get(id: string, userId: string): Promise<TestView>;
  /** Where to go on. Throws `not_found`, `connector_test_over`. */
  start(id: string, userId: string): Promise<string>;
  /** Takes what the browser brings back. Throws `not_found`. */
  receive(id: string, userId: string, code: string): Promise<void>;
};

const text = words.connectorTests;

/** `/account/connector-tests/{id}`: begins a live test, and shows its report. */
export function createConnectorTestsDoor(needs: {
  desk: Desk;
  connect: string;
  liveTests: AccountLiveTests;
}): Door {
  const { desk, connect, liveTests } = needs;
  const door = newDoor(pageErrors(desk.pages));

  door.get('/account/connector-tests/:id', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const [id, code] = [context.req.param('id'), context.req.query('code')];
    if (code !== undefined) {
      await liveTests.receive(id, login.browser.user.id, code);
      return desk.goTo(context, `/account/connector-tests/${id}`);
    }
    const view = await liveTests.get(id, login.browser.user.id);
    return desk.show(context, pageOf(login.browser, id, view));
  });

  door.post('/account/connector-tests/:id', async (context) => {
    const { browser } = await desk.browsers.readForm(context, 'connector-test');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    return context.redirect(await liveTests.start(context.req.param('id'), browser.user.id), 303);
  });

  function pageOf(browser: LoggedIn, id: string, { test, state, connector }: TestView): Page {
    const body = test.report
      ? reportOf(test.report, test.reference)
      : state === 'waiting'
        ? waiting(browser, id, test.expiresAt, connector)
        : notice('information', text[`${state === 'expired' ? 'expired' : 'running'}`], aboutOf(state));
    return accountPage(desk, browser, {
      tab: 'teams',
      title: text.title,
      // The form leads to the provider by way of our own `connect`, and browsers look at every hop.
      formAction: [...new Set([connect, connector.authorizationEndpoint].flatMap(formActionFor))],
      body: html`<h1>${text.title}: ${connector.name}</h1>
        ${body}`,
    });
  }

  function waiting(
    browser: LoggedIn,
    id: string,
    expiresAt: number,
    connector: TestView['connector'],
  ): Markup {
    return card(
      html`${definitionList([
          [text.provider, html`<code>${connector.issuer}</code>`],
          [text.until, time(expiresAt)],
        ])}
        <form id="connector-test" method="post" action="${desk.at(`/account/connector-tests/${id}`)}">
          ${hiddenFields({ csrf: browser.csrfToken('connector-test') })}
          ${button({ id: 'connector-test-begin', label: text.begin })}
        </form>`,
      undefined,
      text.about(connector.name),
    );
  }

  return door;
}

function aboutOf(state: TestView['state']): string {
  return state === 'expired' ? text.expiredAbout : text.runningAbout;
}

function reportOf(report: ConnectorTestReport, reference: string | undefined): Markup {
  const { policy } = report;
  return html`${notice(report.ok ? 'good' : 'danger', report.ok ? text.passed : text.failed)}
    ${card(steps(report), text.steps)}
    ${report.forwarded ? card(claims('forwarded', report.forwarded), text.forwarded) : ''}
    ${
      report.missing.length === 0
        ? ''
        : card(html`<p id="missing" class="mono">${report.missing.join(', ')}</p>`, text.missing)
    }
    ${
      policy
        ? card(
            html`<p id="policy">${policy.allowed ? text.allowed : text.denied} ${policy.because}</p>`,
            text.policy,
          )
        : ''
    }
    ${report.claims.idToken ? card(claims('id-token', report.claims.idToken), text.idToken) : ''}
    ${report.claims.userinfo ? card(claims('userinfo', report.claims.userinfo), text.userinfo) : ''}
    <p class="quiet">${text.reference}: <code id="reference">${reference ?? ''}</code></p>`;
}

function steps(report: ConnectorTestReport): Markup {
  return html`<ol class="rows" id="steps">
    ${report.steps.map(
      (step) =>
        html`<li data-step="${step.step}" data-outcome="${step.outcome}">
          <div>
            <p class="row-title">
              <code>${step.step}</code>
              <span class="badge ${step.outcome === 'failed' ? 'danger' : ''}">${step.outcome}</span>
              <span class="quiet">${text.milliseconds(step.milliseconds)}</span>
            </p>
            <p class="quiet">${step.detail ?? ''}</p>
            ${step.mend ? html`<p class="mend">${step.mend}</p>` : ''}
          </div>
        </li>`,
    )}
  </ol>`;
}

function claims(id: string, given: Readonly<Record<string, unknown>>): Markup {
  const entries = Object.entries(given);
  if (entries.length === 0) return html`<p class="quiet">${text.none}</p>`;
  return html`<div id="${id}">
    ${definitionList(
      entries.map(([name, value]) => [
        name,
        html`<code>${typeof value === 'string' ? value : JSON.stringify(value)}</code>`,
      ]),
    )}
  </div>`;
}
