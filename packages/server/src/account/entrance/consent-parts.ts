import { html } from 'hono/html';
import { icon, notice, type Markup } from '#pages';
import type { LoggedIn } from '../browsers.ts';
import type { Desk } from '../desk.ts';
import { words } from '../words.ts';

export type AskingApp = {
  name: string;
  /** A path at our own origin. */
  logo?: string | undefined;
  /** '' when no team stands behind it. */
  teamName: string;
  verified: boolean;
  /** What an unverified app says of itself: shown as text, since nobody here answers for where it leads. */
  about?: readonly { name: 'website' | 'policy' | 'terms'; uri: string }[];
};

/** `words` completes "It will be able to …"; `not` says in a sentence what that does not include. */
export type AskedScope = { name: string; words: string; not?: string | undefined };

/** Who asks and who is asked, side by side. */
export function parties(desk: Desk, app: AskingApp, { user }: LoggedIn): Markup {
  return html`<div class="pair">
    <div>
      <p class="tile" aria-hidden="true">
        ${app.logo ? html`<img src="${desk.at(app.logo)}" alt="" />` : initialOf(app.name)}
      </p>
      <p class="pair-name">${app.name}</p>
      <p class="quiet">
        ${app.teamName === '' ? words.consent.noTeamBehind : `${words.consent.by} ${app.teamName}`}
      </p>
    </div>
    ${icon('arrow')}
    <div>
      <p class="tile person" aria-hidden="true">${initialOf(user.name ?? user.email)}</p>
      <p class="pair-name">${user.name ?? user.username}</p>
      <p class="quiet">${words.consent.you}</p>
    </div>
  </div>`;
}

/** One sentence that says who asks for what, and a mark on an app that nobody has checked. */
export function request(app: AskingApp, title: string, sentence: string): Markup {
  return html`<div>
      <h1>${title}</h1>
      <p>
        <strong>${app.name}</strong> ${app.teamName === '' ? '' : `${words.consent.by} ${app.teamName}`}
        ${sentence}
      </p>
    </div>
    ${app.verified ? '' : notice('warning', words.consent.unverifiedTitle, words.consent.unverified(app.name))}`;
}

/** What the app will be able to do, and what that does not include. */
export function permissionList(scopes: readonly AskedScope[]): Markup {
  const refused = scopes.flatMap(({ not }) => (not === undefined ? [] : [not]));
  return html`<div>
    <h2>${words.consent.learns}</h2>
    <ul class="permissions">
      ${scopes.map(({ name, words: sentence }) => html`<li data-scope="${name}">${icon('good')}<span>${sentence}</span></li>`)}
    </ul>
    ${refused.length > 0 ? html`<p class="refused quiet">${words.consent.notTitle} ${joined(refused)}.</p>` : ''}
  </div>`;
}

/** Resource servers that the tokens will be for. */
export function resourceList(resources: readonly string[] | undefined): Markup | '' {
  if (!resources?.length) return '';
  return html`<p class="destination">
    ${words.consent.resources}
    ${resources.map((resource) => html`<code data-resource="${resource}">${resource}</code> `)}
  </p>`;
}

/** What an unverified app says of itself, as text: no link leaves this page. */
export function aboutList({ about }: AskingApp): Markup | '' {
  if (!about?.length) return '';
  return html`<dl class="about quiet">
    ${about.map(
      ({ name, uri }) =>
        html`<dt>${words.consent.about[name]}</dt>
          <dd><code>${uri}</code></dd>`,
    )}
  </dl>`;
}

/** Allow and Cancel, of equal size; Allow takes clicks a moment late. */
export function decisionButtons(): Markup {
  return html`<div class="decision">
    <button type="submit" class="button secondary" id="consent-cancel" name="decision" value="cancel">
      ${words.consent.cancel}
    </button>
    <button type="submit" class="button primary armed-late" id="consent-allow" name="decision" value="allow">
      ${words.consent.allow}
    </button>
  </div>`;
}

function initialOf(name: string): string {
  return Array.from(name.trim())[0]?.toUpperCase() ?? '?';
}

function joined(parts: readonly string[]): string {
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(parts);
}
