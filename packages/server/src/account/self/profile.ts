import { html } from 'hono/html';
import type { Audit } from '#audit';
import type { Database } from '#database';
import { newDoor, type Door } from '#http';
import { button, card, definitionList, field, hiddenFields, time, type Markup } from '#pages';
import type { Session, Sessions } from '#sessions';
import { personNameProblem, type Users } from '#users';
import type { EndSession, LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { deviceOf } from './devices.ts';
import { accountPage } from './frame.ts';
import { words } from '../words.ts';

export function createProfileDoor(needs: {
  desk: Desk;
  database: Database;
  audit: Audit;
  users: Users;
  sessions: Sessions;
  endSession: EndSession;
}): Door {
  const { desk, database, audit, users, sessions, endSession } = needs;
  const door = newDoor(pageErrors(desk.pages));

  async function page(browser: LoggedIn, name: { value?: string; problem?: string } = {}) {
    const list = await sessions.listForUser(browser.user.id);
    return accountPage(desk, browser, {
      tab: 'profile',
      title: words.profile.title,
      status: name.problem === undefined ? 200 : 422,
      body: html`<h1>${words.profile.title}</h1>
        ${card(profileForm(desk, browser, name), words.profile.profile)}
        ${card(sessionList(desk, browser, list), words.profile.sessions, words.profile.sessionsAbout)}`,
    });
  }

  door.get('/', (context) => desk.goTo(context, '/account'));

  door.get('/account', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    return desk.show(context, await page(login.browser));
  });

  door.post('/account/name', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'name');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    const name = fields.get('name') ?? '';
    const problem = personNameProblem(name);
    if (problem !== undefined) {
      const refused = { value: name, problem: words.profile.nameProblem(problem) };
      return desk.show(context, await page(browser, refused));
    }
    await database.write([
      ...users.updateName(browser.user.id, name),
      audit.record({
        actor: browser.user.id,
        action: 'user.update',
        object: browser.user.id,
        before: { name: browser.user.name ?? null },
        after: { name: name.trim() },
        reference: context.get('reference'),
      }),
    ]);
    return desk.goTo(context, '/account');
  });

  door.post('/account/sessions/end', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'sessions');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    const { user, session } = browser;
    const id = fields.get('session') ?? '';
    const isAll = fields.has('others');
    const own = await sessions.listForUser(user.id);
    const ended = own.filter((one) => (isAll ? one.id !== session.id : one.id === id));
    await database.write([
      ...ended.flatMap(endSession),
      // One that began in this moment is on no list yet.
      ...(isAll ? [sessions.endOthers(user.id, session.id)] : []),
      audit.record({
        actor: user.id,
        action: isAll ? 'session.end-others' : 'session.end',
        object: isAll ? user.id : id,
        reference: context.get('reference'),
      }),
    ]);
    return desk.goTo(context, '/account');
  });

  door.post('/account/sign-out', async (context) => {
    const { browser } = await desk.browsers.readForm(context, 'sign-out');
    if (isLoggedIn(browser)) {
      await database.write([
        ...endSession(browser.session),
        audit.record({
          actor: browser.user.id,
          action: 'session.end',
          object: browser.session.id,
          reference: context.get('reference'),
        }),
      ]);
    }
    desk.browsers.forget(context);
    return desk.goTo(context, '/login');
  });

  return door;
}

function profileForm(desk: Desk, browser: LoggedIn, name: { value?: string; problem?: string }): Markup {
  const { user } = browser;
  return html`${definitionList([
      [words.profile.email, user.email],
      [words.profile.username, html`<code>${user.username}</code>`],
      [words.profile.id, html`<code id="user-id">${user.id}</code>`],
    ])}
    <form id="profile" class="form-row" method="post" action="${desk.at('/account/name')}">
      ${hiddenFields({ csrf: browser.csrfToken('name') })}
      ${field({
        name: 'name',
        label: words.profile.name,
        value: name.value ?? user.name,
        autocomplete: 'name',
        maxlength: 100,
        problem: name.problem,
      })}
      ${button({ label: words.profile.save, kind: 'secondary' })}
    </form>`;
}

function sessionList(desk: Desk, browser: LoggedIn, list: readonly Session[]): Markup {
  const csrf = browser.csrfToken('sessions');
  const action = desk.at('/account/sessions/end');
  const endForm = (session: Session, device: string): Markup =>
    html`<form method="post" action="${action}">
      ${hiddenFields({ csrf, session: session.id })}
      ${button({ label: words.profile.end, kind: 'danger', about: words.profile.endAbout(device) })}
    </form>`;
  return html`<ul class="rows" id="sessions">
      ${list.map((session) => {
        const device = deviceOf(session.userAgent) ?? words.profile.unknownDevice;
        const isCurrent = session.id === browser.session.id;
        return html`<li>
          <div>
            <p class="row-title">
              ${device} ${isCurrent ? html`<span class="badge">${words.profile.current}</span>` : ''}
            </p>
            <p class="quiet">
              ${session.address ? html`<span class="mono">${session.address}</span> · ` : ''}${words.profile.loggedIn}
              ${time(session.createdAt)} · ${words.profile.lastSeen} ${time(session.lastSeenAt)}
            </p>
          </div>
          ${isCurrent ? '' : endForm(session, device)}
        </li>`;
      })}
    </ul>
    ${
      list.length > 2
        ? html`<form id="end-others" method="post" action="${action}">
            ${hiddenFields({ csrf, others: '1' })}${button({ id: 'end-others-submit', label: words.profile.endOthers, kind: 'danger' })}
          </form>`
        : ''
    }`;
}
