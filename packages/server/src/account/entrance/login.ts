import { html } from 'hono/html';
import { PublicError, publicError } from '#errors';
import type { Audit } from '#audit';
import type { Credentials } from '#credentials';
import type { Bound, Database } from '#database';
import { newDoor, readQuery, type Door, type DoorContext } from '#http';
import { button, field, hiddenFields, notice, type Markup } from '#pages';
import type { Browser } from '../browsers.ts';
import type { RequestView, SignIn } from './consent.ts';
import { pageErrors, type Desk } from '../desk.ts';
import { formActionFor, parseReturnPath } from './destinations.ts';
import { keepOpenerOf } from './opener.ts';
import type { Visits } from './visitor.ts';
import { words } from '../words.ts';

type Aim = {
  /** The authorization request that waits for this login. */
  requestId: string | undefined;
  request: RequestView | undefined;
  returnPath: string | undefined;
  /** The deployment that the return path leads a visitor to. */
  visit: { host: string; formAction: string[] } | undefined;
  /** Somebody logged in proves again who they are. */
  confirm: boolean;
};

type Attempt = {
  email?: string | undefined;
  problem?: Markup | undefined;
  status?: number;
  headers?: Record<string, string>;
};

export function createLoginDoor(needs: {
  desk: Desk;
  database: Database;
  audit: Audit;
  credentials: Credentials;
  signIn: SignIn;
  visits: Visits;
}): Door {
  const { desk, database, audit, credentials, signIn, visits } = needs;
  const door = newDoor(pageErrors(desk.pages));

  async function aimOf(context: DoorContext, browser: Browser): Promise<Aim> {
    const parameters = readQuery(context);
    const requestId = parameters.get('request');
    const request = requestId === undefined ? undefined : await signIn.describe(requestId, browser);
    if (request?.keepsOpener) context.set('keepsOpener', true);
    const returnPath = parseReturnPath(parameters.get('return'));
    return {
      requestId,
      request,
      returnPath,
      visit: await visits.describe(returnPath),
      confirm: parameters.has('confirm') && browser.user !== undefined,
    };
  }

  function page(browser: Browser, aim: Aim, attempt: Attempt = {}) {
    const title = aim.confirm ? words.login.confirmTitle : words.login.title;
    const email = attempt.email ?? (aim.confirm ? browser.user?.email : aim.request?.loginHint);
    return desk.pages.page({
      title,
      status: attempt.status ?? 200,
      ...(attempt.headers && { headers: attempt.headers }),
      formAction: aim.request ? formActionFor(aim.request.redirectUri) : (aim.visit?.formAction ?? []),
      body: html`<div class="card">
          <h1>${title}</h1>
          ${aim.request ? html`<p class="quiet">${words.login.toContinue} <strong>${aim.request.app.name}</strong></p>` : ''}
          ${aim.visit ? html`<p class="quiet">${words.login.toContinue} <code>${aim.visit.host}</code></p>` : ''}
          ${aim.confirm ? html`<p class="quiet">${words.login.confirmAbout}</p>` : ''}
          ${attempt.problem ?? ''}
          <form id="login" method="post" action="${desk.at(pathOf(aim))}">
            ${hiddenFields({ csrf: browser.csrfToken('login') })}
            ${field({
              name: 'email',
              label: words.login.email,
              type: 'email',
              value: email,
              autocomplete: 'username',
              autofocus: email === undefined,
            })}
            ${field({
              name: 'password',
              label: words.login.password,
              type: 'password',
              autocomplete: 'current-password',
              autofocus: email !== undefined,
            })}
            ${button({ id: 'login-submit', label: aim.confirm ? words.login.confirmSubmit : words.login.submit })}
          </form>
        </div>
        <p class="aside">${words.login.forgotten}</p>`,
    });
  }

  door.get('/login', async (context) => {
    const browser = await desk.browsers.read(context);
    const aim = await aimOf(context, browser);
    if (browser.user && !aim.request && !aim.confirm) return desk.goTo(context, aim.returnPath ?? '/account');
    return desk.show(context, page(browser, aim));
  });

  door.post('/login', async (context) => {
    const { browser, fields } = await desk.browsers
      .readForm(context, 'login')
      .catch(keepOpenerOf(context, { desk, signIn }));
    const aim = await aimOf(context, browser);
    const email = fields.get('email');
    const password = fields.get('password');
    const again = (problem: Markup, status: number, headers: Record<string, string> = {}): Response =>
      desk.show(context, page(browser, aim, { email, problem, status, headers }));

    if (email === undefined || password === undefined) {
      return again(
        notice('danger', email === undefined ? words.login.needEmail : words.login.needPassword),
        422,
      );
    }
    let verified: Awaited<ReturnType<Credentials['verifyPassword']>>;
    try {
      const clientAddress = context.get('clientAddress');
      verified = await credentials.verifyPassword({ email, password, clientAddress });
    } catch (error) {
      // Nothing that was written is lost: the same form, with what to do.
      if (!(error instanceof PublicError) || ![429, 503].includes(error.status)) throw error;
      return again(notice('warning', error.title, error.mend), error.status, error.headers);
    }
    if (verified === undefined) {
      const steps = await recordedStep(aim, browser, 'failed');
      if (steps.length > 0) await database.write(steps);
      return again(notice('danger', words.login.failedTitle, words.login.failed), 422);
    }

    const { user, amr, statements } = verified;
    const login = await desk.browsers.logIn(context, { userId: user.id, amr });
    const outcome = await database.tryWrite([
      ...login.statements,
      ...statements,
      ...(await recordedStep(aim, browser, 'ok')),
      audit.record({
        actor: user.id,
        action: 'session.create',
        object: login.session.id,
        after: { amr, address: context.get('clientAddress') },
        reference: context.get('reference'),
      }),
    ]);
    // Another tab of this browser has renewed the same session in this moment.
    if (!outcome.committed) throw publicError('form_expired');
    login.remember();
    if (aim.requestId !== undefined) return desk.goTo(context, authorizePath(aim.requestId));
    return desk.goTo(context, aim.returnPath ?? '/account');
  });

  /** The attempt of a request shows the login among its steps, also when it failed. */
  async function recordedStep(
    aim: Aim,
    browser: Browser,
    outcome: 'ok' | 'failed',
  ): Promise<Bound<unknown>[]> {
    if (aim.requestId === undefined || signIn.loginStep === undefined) return [];
    const step = await signIn.loginStep(aim.requestId, browser, outcome);
    return step ? [step] : [];
  }

  return door;
}

/** The address of the page, and of its form: what it is for stands in the query, so that a reload keeps it. */
function pathOf({ requestId, returnPath, confirm }: Aim): string {
  const query = new URLSearchParams();
  if (requestId !== undefined) query.set('request', requestId);
  if (returnPath !== undefined) query.set('return', returnPath);
  if (confirm) query.set('confirm', '1');
  return query.size === 0 ? '/login' : `/login?${query.toString()}`;
}

/** Where an authorization request goes on after each answer of the person. */
export function authorizePath(requestId: string): string {
  return `/oauth/authorize/${encodeURIComponent(requestId)}`;
}
