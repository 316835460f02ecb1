import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { answerOf, type DoorContext, type ErrorAnswer } from '#http';
import { openerKept, type ErrorFacts, type Page, type Pages } from '#pages';
import type { Browser, Browsers, LoggedIn } from './browsers.ts';
import { words } from './words.ts';

/** What every page of the account is made at: addresses, cookies and the way to answer. */
export type Desk = {
  browsers: Browsers;
  pages: Pages;
  /** The address of one of our own paths, as links and forms need it. */
  at(path: string): string;
  show(context: DoorContext, page: Page): Response;
  /** 303, so that a reload does not send the form again, and a GET follows whatever was sent. */
  goTo(context: DoorContext, path: string): Response;
  /** Who is logged in here; undefined and the way to the login page otherwise. */
  requireLogin(context: DoorContext): Promise<{ browser: LoggedIn } | { response: Response }>;
};

export function createDesk(needs: { origin: string; pages: Pages; browsers: Browsers }): Desk {
  const { origin, pages, browsers } = needs;
  const base = new URL(origin).pathname.replace(/\/$/, '');
  const at = (path: string): string => base + path;
  const goTo = (context: DoorContext, path: string): Response => context.redirect(at(path), 303);

  return {
    browsers,
    pages,
    at,
    show: showPage,
    goTo,
    async requireLogin(context) {
      const browser = await browsers.read(context);
      if (isLoggedIn(browser)) return { browser };
      const here = context.req.method === 'GET' ? new URL(context.req.url) : undefined;
      const back = here ? here.pathname.slice(base.length) + here.search : '/account';
      return { response: goTo(context, `/login?return=${encodeURIComponent(back)}`) };
    },
  };
}

export function isLoggedIn(browser: Browser): browser is LoggedIn {
  return browser.session !== undefined && browser.user !== undefined;
}

/** Answers with a page; cookies that were set on the way stay. */
export function showPage(context: DoorContext, page: Page): Response {
  const headers = context.get('keepsOpener')
    ? { ...page.headers, 'cross-origin-opener-policy': openerKept }
    : page.headers;
  return context.body(page.body, page.status as ContentfulStatusCode, headers);
}

/** Errors of the origin's doors as pages, with the request's reference. */
export function pageErrors(pages: Pick<Pages, 'errorPage'>): ErrorAnswer {
  return (error, context) => {
    const { status, code, title, description, mend, headers } = answerOf(error);
    const facts: ErrorFacts = {
      status,
      code,
      title: title === code ? wordsFor(code) : title,
      description,
      mend,
      headers,
      reference: context.get('reference'),
      ...(code === 'form_expired' && { next: pageOfForm(context) }),
    };
    return showPage(context, pages.errorPage(facts));
  };
}

/** Pages whose forms are sent to their own address, so that the address shows the form again. */
const ownForms = [
  '/login',
  '/setup',
  '/oauth/consent',
  '/oauth/logout/confirm',
  '/oauth/device',
  '/oauth/device/confirm',
  '/account/teams',
  '/account/tokens/new',
];

function pageOfForm(context: DoorContext): { href: string; label: string } {
  const { pathname, search } = new URL(context.req.url);
  const isOwn = ownForms.some((path) => pathname.endsWith(path));
  const account = pathname.slice(0, Math.max(0, pathname.lastIndexOf('/account'))) + '/account';
  return { href: isOwn ? pathname + search : account, label: words.account.reload };
}

/** OAuth errors have a code and no title: `invalid_request` becomes `Invalid request`. */
function wordsFor(code: string): string {
  const spaced = code.replaceAll('_', ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
