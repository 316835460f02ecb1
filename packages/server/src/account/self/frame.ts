import { html } from 'hono/html';
import { button, hiddenFields, type Layout, type Markup, type Page } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import type { Desk } from '../desk.ts';
import { words } from '../words.ts';

export type Tab = keyof typeof words.account.tabs;

const paths: Record<Tab, string> = {
  profile: '/account',
  teams: '/account/teams',
  tokens: '/account/tokens',
  apps: '/account/apps',
  people: '/account/people',
};

type Framed = {
  tab: Tab;
  title: string;
  body: Markup;
  status?: number;
  copies?: boolean;
  formAction?: readonly string[];
};

/** A page of the account: who is logged in, the way out, and the sections. */
export function accountPage(desk: Desk, browser: LoggedIn, framed: Framed): Page {
  const { tab, ...rest } = framed;
  const layout: Layout = { ...rest, width: 'broad', header: header(desk, browser, tab) };
  return desk.pages.page(layout);
}

function header(desk: Desk, browser: LoggedIn, current: Tab): Markup {
  const tabs = (Object.keys(paths) as Tab[]).filter(
    (tab) => tab !== 'people' || browser.user.isInstanceAdmin,
  );
  return html`<form id="sign-out" class="who" method="post" action="${desk.at('/account/sign-out')}">
      ${hiddenFields({ csrf: browser.csrfToken('sign-out') })}
      <span class="quiet">${browser.user.email}</span>
      ${button({ id: 'sign-out-submit', label: words.account.signOut, kind: 'quiet' })}
    </form>
    <nav class="tabs" aria-label="${words.account.navigation}">
      <ul>
        ${tabs.map(
          (tab) =>
            html`<li>
              <a href="${desk.at(paths[tab])}" ${tab === current ? html`aria-current="page"` : ''}
                >${words.account.tabs[tab]}</a
              >
            </li>`,
        )}
      </ul>
    </nav>`;
}
