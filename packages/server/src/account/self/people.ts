import { html } from 'hono/html';
import type { Audit } from '#audit';
import type { SetupLinks } from '#credentials';
import type { Database } from '#database';
import { publicError } from '#errors';
import { newDoor, type Door } from '#http';
import { button, card, field, hiddenFields, notice, secretOnce, time, type Markup } from '#pages';
import { emailProblem, type User, type Users } from '#users';
import type { Browser, LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import type { Freshness } from './freshness.ts';
import { accountPage } from './frame.ts';
import { words } from '../words.ts';

const shownAtMost = 500;

export function createPeopleDoor(needs: {
  desk: Desk;
  database: Database;
  audit: Audit;
  users: Users;
  setupLinks: SetupLinks;
  freshness: Freshness;
}): Door {
  const { desk, database, audit, users, setupLinks, freshness } = needs;
  const door = newDoor(pageErrors(desk.pages));

  async function page(browser: LoggedIn, email: { value?: string | undefined; problem?: string } = {}) {
    const list = await users.list(shownAtMost);
    return accountPage(desk, browser, {
      tab: 'people',
      title: words.people.title,
      status: email.problem === undefined ? 200 : 422,
      body: html`<h1>${words.people.title}</h1>
        ${card(inviteForm(desk, browser, email), words.people.invite, words.people.inviteAbout)}
        ${card(peopleList(list), words.people.list, words.people.about)}`,
    });
  }

  door.get('/account/people', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    requireAdministrator(login.browser);
    return desk.show(context, await page(login.browser));
  });

  door.post('/account/people/invite', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'invite');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    requireAdministrator(browser);
    if (!freshness.isFresh(browser.session))
      return desk.goTo(context, freshness.confirmPath('/account/people'));
    const email = fields.get('email')?.trim() ?? '';
    const fault = emailProblem(email);
    if (fault !== undefined) {
      return desk.show(context, await page(browser, { value: email, problem: words.people.problem(fault) }));
    }
    if (await users.findByEmail(email)) {
      return desk.show(context, await page(browser, { value: email, problem: words.people.taken }));
    }
    const link = setupLinks.invitation({ email, invitedBy: browser.user.id });
    await database.write([
      link.statement,
      audit.record({
        actor: browser.user.id,
        action: 'user.invite',
        object: email,
        reference: context.get('reference'),
      }),
    ]);
    return desk.show(context, madePage(desk, browser, email, link.url));
  });

  return door;
}

/** To everybody else the page does not exist. */
function requireAdministrator(browser: Browser): void {
  if (!browser.user?.isInstanceAdmin) throw publicError('not_found');
}

function madePage(desk: Desk, browser: LoggedIn, email: string, url: string) {
  return accountPage(desk, browser, {
    tab: 'people',
    title: words.people.madeTitle,
    copies: true,
    body: html`<h1>${words.people.madeTitle}</h1>
      ${card(
        html`${notice('good', words.people.madeNotice(email))}
          ${secretOnce({ id: 'set-up-link', label: words.people.madeLabel, value: url, advice: words.people.madeAdvice })}
          <p><a href="${desk.at('/account/people')}">${words.people.done}</a></p>`,
      )}`,
  });
}

function inviteForm(
  desk: Desk,
  browser: LoggedIn,
  email: { value?: string | undefined; problem?: string },
): Markup {
  return html`<form id="invite" class="form-row" method="post" action="${desk.at('/account/people/invite')}">
    ${hiddenFields({ csrf: browser.csrfToken('invite') })}
    ${field({
      name: 'email',
      label: words.people.email,
      type: 'email',
      value: email.value,
      autocomplete: 'off',
      problem: email.problem,
    })}
    ${button({ id: 'invite-submit', label: words.people.submit })}
  </form>`;
}

function peopleList(list: readonly User[]): Markup {
  return html`<ul class="rows" id="people">
    ${list.map(
      (user) =>
        html`<li>
          <div>
            <p class="row-title">
              ${user.name ?? user.username}
              ${user.isInstanceAdmin ? html`<span class="badge">${words.people.administrator}</span>` : ''}
              ${user.disabledAt === undefined ? '' : html`<span class="badge">${words.people.disabled}</span>`}
            </p>
            <p class="quiet">${user.email} · ${time(user.createdAt, 'day')}</p>
          </div>
        </li>`,
    )}
  </ul>`;
}
