import { html } from 'hono/html';
import { newDoor, type Door } from '#http';
import { button, card, hiddenFields, time, type Markup } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { words } from '../words.ts';
import { accountPage } from './frame.ts';

type AuthorizedApp = {
  appId: string;
  name: string;
  teamName: string | undefined;
  verified: boolean;
  allowed: readonly { scopes: readonly string[]; createdAt: number }[];
  lastUsedAt: number | undefined;
};

/** What a person allowed apps, and how they take it back. */
export type AccountAuthorizedApps = {
  list(userId: string): Promise<readonly AuthorizedApp[]>;
  /** Throws `not_found`. */
  revoke(userId: string, appId: string, reference: string): Promise<void>;
};

export function createAuthorizedAppsDoor(needs: { desk: Desk; authorizedApps: AccountAuthorizedApps }): Door {
  const { desk, authorizedApps } = needs;
  const door = newDoor(pageErrors(desk.pages));

  door.get('/account/apps', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const { browser } = login;
    const apps = await authorizedApps.list(browser.user.id);
    const page = accountPage(desk, browser, {
      tab: 'apps',
      title: words.apps.title,
      body: html`<h1>${words.apps.title}</h1>
        ${card(appList(desk, browser, apps), words.apps.list, words.apps.about)}`,
    });
    return desk.show(context, page);
  });

  door.post('/account/apps/revoke', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'authorized-apps');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    await authorizedApps.revoke(browser.user.id, fields.get('app') ?? '', context.get('reference'));
    return desk.goTo(context, '/account/apps');
  });

  return door;
}

function appList(desk: Desk, browser: LoggedIn, apps: readonly AuthorizedApp[]): Markup {
  if (apps.length === 0) return html`<p class="quiet" id="no-apps">${words.apps.none}</p>`;
  const csrf = browser.csrfToken('authorized-apps');
  return html`<ul class="rows" id="authorized-apps">
    ${apps.map((app) => {
      const scopes = [...new Set(app.allowed.flatMap((one) => one.scopes))];
      return html`<li data-app="${app.appId}">
        <div>
          <p class="row-title">
            ${app.name} ${app.verified ? '' : html`<span class="badge">${words.apps.unverified}</span>`}
          </p>
          <p class="quiet">
            ${app.teamName === undefined ? '' : html`${words.consent.by} ${app.teamName} · `}${
              app.lastUsedAt === undefined
                ? words.apps.unused
                : html`${words.apps.lastUsed} ${time(app.lastUsedAt)}`
            }
          </p>
          ${scopes.length === 0 ? '' : html`<p class="quiet mono">${scopes.join(', ')}</p>`}
        </div>
        <form method="post" action="${desk.at('/account/apps/revoke')}">
          ${hiddenFields({ csrf, app: app.appId })}
          ${button({ label: words.apps.revoke, kind: 'danger', about: words.apps.revokeAbout(app.name) })}
        </form>
      </li>`;
    })}
  </ul>`;
}
