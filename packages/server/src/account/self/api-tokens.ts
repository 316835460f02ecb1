import { html } from 'hono/html';
import type { Permission, Role } from '@tessera/contract';
import { publicError } from '#errors';
import { newDoor, readQuery, type Door, type DoorContext } from '#http';
import { button, card, hiddenFields, notice, secretOnce, time, type Markup } from '#pages';
import {
  emptyTokenForm,
  parseTokenForm,
  tokenFormMarkup,
  tokenFormProblems,
  type TokenForm,
  type TokenFormProblems,
  type TokenScope,
} from './api-token-form.ts';
import type { LoggedIn } from '../browsers.ts';
import { isLoggedIn, pageErrors, type Desk } from '../desk.ts';
import { accountPage } from './frame.ts';
import type { Freshness } from './freshness.ts';
import { words } from '../words.ts';

export type TokenOfPerson = {
  id: string;
  name: string;
  /** Undefined: every team of the person. */
  teamId: string | undefined;
  expiresAt: number | undefined;
  lastUsedAt: number | undefined;
};

export type AccountApiTokens = {
  /** The token itself is in the answer and nowhere else. */
  create(token: {
    userId: string;
    teamId: string | undefined;
    name: string;
    permissions: 'role' | Permission[];
    projectIds: string[];
    builds: { projectId: string; environment: string }[];
    lifetimeSeconds: number;
    reference: string;
  }): Promise<{ token: string }>;
  listForUser(userId: string): Promise<TokenOfPerson[]>;
  /** Ends a token, if it is this person's. */
  revoke(userId: string, id: string, reference: string): Promise<void>;
};

export type TokenTeams = {
  listForUser(userId: string): Promise<{ team: { id: string; slug: string; name: string }; role: Role }[]>;
};

export type TokenProjects = {
  list(teamId: string): Promise<{ id: string; name: string; environments: readonly string[] }[]>;
};

const daySeconds = 24 * 60 * 60;

export function createApiTokensDoor(needs: {
  desk: Desk;
  /** The base URL of the API, for the sample. */
  api: string;
  apiTokens: AccountApiTokens;
  teams: TokenTeams;
  projects: TokenProjects;
  freshness: Freshness;
}): Door {
  const { desk, api, apiTokens, teams, projects, freshness } = needs;
  const door = newDoor(pageErrors(desk.pages));

  /** Throws `not_found` for a team that the person is not in. */
  async function scopeOf(browser: LoggedIn, slug: string | undefined): Promise<TokenScope> {
    if (slug === undefined) return { team: undefined, projects: [] };
    const memberships = await teams.listForUser(browser.user.id);
    const membership = memberships.find(({ team }) => team.slug === slug);
    if (membership === undefined)
      throw publicError('not_found', { description: `You are in no team '${slug}'.` });
    const { team, role } = membership;
    return { team: { ...team, role }, projects: await projects.list(team.id) };
  }

  function formPage(browser: LoggedIn, scope: TokenScope, form: TokenForm, problems: TokenFormProblems = {}) {
    const { team } = scope;
    return accountPage(desk, browser, {
      tab: 'tokens',
      title: words.tokens.newTitle,
      status: Object.values(problems).some(Boolean) ? 422 : 200,
      body: html`<div>
          <h1>${words.tokens.newTitle}</h1>
          <p class="quiet">${team ? words.tokens.forTeam(team.name) : words.tokens.forAll}</p>
        </div>
        ${tokenFormMarkup({
          action: desk.at('/account/tokens/new'),
          csrf: browser.csrfToken('api-token'),
          scope,
          form,
          problems,
        })}`,
    });
  }

  door.get('/account/tokens', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const { browser } = login;
    const [tokens, memberships] = [
      await apiTokens.listForUser(browser.user.id),
      await teams.listForUser(browser.user.id),
    ];
    const teamName = new Map(memberships.map(({ team }) => [team.id, team.name]));
    return desk.show(
      context,
      accountPage(desk, browser, {
        tab: 'tokens',
        title: words.tokens.title,
        body: html`<div>
            <h1>${words.tokens.title}</h1>
            <p class="quiet">${words.tokens.about}</p>
          </div>
          ${card(newTokenLinks(desk, memberships), words.tokens.create)}
          ${card(tokenList(desk, browser, tokens, teamName, api), words.tokens.list)}`,
      }),
    );
  });

  door.get('/account/tokens/new', async (context) => {
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const { browser } = login;
    const slug = readQuery(context).get('team');
    const scope = await scopeOf(browser, slug);
    if (!freshness.isFreshForForm(browser.session)) return confirmFirst(context, slug);
    return desk.show(context, formPage(browser, scope, emptyTokenForm()));
  });

  door.post('/account/tokens/new', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'api-token');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    const slug = fields.get('team');
    if (!freshness.isFresh(browser.session)) return confirmFirst(context, slug);
    const scope = await scopeOf(browser, slug);
    const form = parseTokenForm(fields, scope);
    const problems = tokenFormProblems(form);
    if (!form.name || problems.permissions !== undefined) {
      return desk.show(context, formPage(browser, scope, form, problems));
    }
    const { token } = await apiTokens.create({
      userId: browser.user.id,
      teamId: scope.team?.id,
      name: form.name,
      permissions: form.permissions,
      projectIds: form.projectIds,
      builds: form.builds,
      lifetimeSeconds: form.lifetimeDays * daySeconds,
      reference: context.get('reference'),
    });
    return desk.show(context, madePage(desk, browser, token));
  });

  door.post('/account/tokens/revoke', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'revoke-token');
    if (!isLoggedIn(browser)) return desk.goTo(context, '/login');
    await apiTokens.revoke(browser.user.id, fields.get('token') ?? '', context.get('reference'));
    return desk.goTo(context, '/account/tokens');
  });

  function confirmFirst(context: DoorContext, slug: string | undefined): Response {
    const query = slug === undefined ? '' : `?team=${encodeURIComponent(slug)}`;
    return desk.goTo(context, freshness.confirmPath(`/account/tokens/new${query}`));
  }

  return door;
}

function madePage(desk: Desk, browser: LoggedIn, token: string) {
  return accountPage(desk, browser, {
    tab: 'tokens',
    title: words.tokens.madeTitle,
    copies: true,
    body: html`<h1>${words.tokens.madeTitle}</h1>
      ${card(
        html`${notice('warning', words.tokens.madeNotice)}
          ${secretOnce({ id: 'api-token', label: words.tokens.madeTitle, value: token, advice: words.tokens.madeAdvice })}
          <p><a href="${desk.at('/account/tokens')}">${words.tokens.done}</a></p>`,
      )}`,
  });
}

function newTokenLinks(desk: Desk, memberships: Awaited<ReturnType<TokenTeams['listForUser']>>): Markup {
  const path = desk.at('/account/tokens/new');
  return html`<ul class="links">
    ${memberships.map(
      ({ team }) =>
        html`<li>
          <a class="button secondary" href="${path}?team=${encodeURIComponent(team.slug)}"
            >${words.tokens.forTeam(team.name)}</a
          >
        </li>`,
    )}
    <li><a class="button secondary" href="${path}">${words.tokens.forAll}</a></li>
  </ul>`;
}

function tokenList(
  desk: Desk,
  browser: LoggedIn,
  tokens: readonly TokenOfPerson[],
  teamName: ReadonlyMap<string, string>,
  api: string,
): Markup {
  if (tokens.length === 0) {
    return html`<p class="quiet">${words.tokens.none}</p>
      <pre class="sample"><code>${words.tokens.sample(api)}</code></pre>`;
  }
  const csrf = browser.csrfToken('revoke-token');
  return html`<ul class="rows" id="api-tokens">
    ${tokens.map(
      ({ id, name, teamId, expiresAt, lastUsedAt }) =>
        html`<li>
          <div>
            <p class="row-title">
              ${name}
              <span class="badge"
                >${teamId === undefined ? words.tokens.forAll : (teamName.get(teamId) ?? teamId)}</span
              >
            </p>
            <p class="quiet">
              <code>${id}</code> · ${words.tokens.ends}
              ${expiresAt === undefined ? words.tokens.never : time(expiresAt, 'day')} ·
              ${lastUsedAt === undefined ? words.tokens.unused : html`${words.tokens.lastUsed} ${time(lastUsedAt)}`}
            </p>
          </div>
          <form method="post" action="${desk.at('/account/tokens/revoke')}">
            ${hiddenFields({ csrf, token: id })}
            ${button({ label: words.tokens.revoke, kind: 'danger', about: words.tokens.revokeAbout(name) })}
          </form>
        </li>`,
    )}
  </ul>`;
}
