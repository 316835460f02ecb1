import { html } from 'hono/html';
import { nameProblem } from '@tessera/protocol';
import { PublicError } from '#errors';
import { newDoor, type Door } from '#http';
import { button, card, field, hiddenFields, type Markup } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { accountPage } from './frame.ts';
import { words } from '../words.ts';

export type TeamOfPerson = { team: { id: string; slug: string; name: string }; role: string };

export type AccountTeams = {
  listForUser(userId: string): Promise<TeamOfPerson[]>;
  /** Throws `name_taken`. */
  create(team: { userId: string; slug: string; name: string; reference: string }): Promise<unknown>;
};

type Filled = { name?: string | undefined; slug?: string | undefined };
type Problems = { name?: string | undefined; slug?: string | undefined };

export function createTeamsDoor({ desk, teams }: { desk: Desk; teams: AccountTeams }): Door {
  const door = newDoor(pageErrors(desk.pages));

  async function page(browser: LoggedIn, filled: Filled = {}, problems: Problems = {}) {
    const list = await teams.listForUser(browser.user.id);
    return accountPage(desk, browser, {
      tab: 'teams',
      title: words.teams.title,
      status: Object.values(problems).some(Boolean) ? 422 : 200,
      body: html`<h1>${words.teams.title}</h1>
        ${card(teamList(desk, list), words.teams.yours)}
        ${card(createForm(desk, browser, filled, problems), words.teams.create)}`,
    });
  }

  door.get('/account/teams', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    return desk.show(context, await page(login.browser));
  });

  door.post('/account/teams', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'create-team');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    const filled = { name: fields.get('name')?.trim(), slug: fields.get('slug')?.trim() };
    const slugFault = nameProblem(filled.slug ?? '');
    const problems: Problems = {
      name: filled.name ? undefined : words.teams.nameMissing,
      slug: slugFault === undefined ? undefined : words.teams.problem(slugFault),
    };
    if (!filled.name || !filled.slug || problems.slug !== undefined) {
      return desk.show(context, await page(browser, filled, problems));
    }
    try {
      const { name, slug } = filled;
      await teams.create({ userId: browser.user.id, slug, name, reference: context.get('reference') });
    } catch (error) {
      if (!(error instanceof PublicError) || error.status !== 409) throw error;
      return desk.show(context, await page(browser, filled, { slug: error.description }));
    }
    return desk.goTo(context, '/account/teams');
  });

  return door;
}

function teamList(desk: Desk, list: readonly TeamOfPerson[]): Markup {
  if (list.length === 0) return html`<p class="quiet">${words.teams.none}</p>`;
  return html`<ul class="rows" id="teams">
    ${list.map(
      ({ team, role }) =>
        html`<li>
          <div>
            <p class="row-title">${team.name} <span class="badge">${role}</span></p>
            <p class="quiet"><code>${team.slug}</code> · <code>${team.id}</code></p>
          </div>
          <a href="${desk.at(`/account/tokens/new?team=${encodeURIComponent(team.slug)}`)}"
            >${words.teams.newToken}</a
          >
        </li>`,
    )}
  </ul>`;
}

function createForm(desk: Desk, browser: LoggedIn, filled: Filled, problems: Problems): Markup {
  return html`<form id="create-team" method="post" action="${desk.at('/account/teams')}">
    ${hiddenFields({ csrf: browser.csrfToken('create-team') })}
    ${field({ name: 'name', label: words.teams.name, value: filled.name, maxlength: 100, problem: problems.name })}
    ${field({
      name: 'slug',
      label: words.teams.slug,
      value: filled.slug,
      hint: words.teams.slugHint,
      maxlength: 100,
      mono: true,
      problem: problems.slug,
    })}
    ${button({ id: 'create-team-submit', label: words.teams.submit })}
  </form>`;
}
