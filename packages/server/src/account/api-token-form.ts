import { html } from 'hono/html';
import { permissionTable, type Permission, type Role } from '@tessera/contract';
import { button, card, checkbox, choice, field, hiddenFields, notice, type Markup } from '#pages';
import { words } from './words.ts';

/** Where a token works: one team, or every team of the person. */
export type TokenScope = {
  team: { id: string; slug: string; name: string; role: Role } | undefined;
  /** Whose build tokens it may get; only an owner gives that. */
  projects: readonly { id: string; name: string; environments: readonly string[] }[];
};

export type TokenForm = {
  name: string | undefined;
  lifetimeDays: number;
  permissions: 'role' | Permission[];
  builds: { projectId: string; environment: string }[];
};

export type TokenFormProblems = { name?: string | undefined; permissions?: string | undefined };

export const lifetimesInDays = [1, 7, 30, 90, 365] as const;
const defaultLifetimeInDays = 30;

/** The permissions that a token for this scope can be given: never more than the person's role holds. */
export function givablePermissions(scope: TokenScope): Permission[] {
  return (Object.keys(permissionTable) as Permission[]).filter((permission) => {
    const row = permissionTable[permission];
    if (row.grant !== 'if-given' && row.grant !== 'per-project') return false;
    return scope.team === undefined || row[scope.team.role] !== 'no';
  });
}

/** Reads the form. Names that the scope does not have are not there to be given: they count for nothing. */
export function parseTokenForm(fields: ReadonlyMap<string, string>, scope: TokenScope): TokenForm {
  const lifetime = lifetimesInDays.find((days) => String(days) === fields.get('lifetime'));
  return {
    name: fields.get('name')?.trim().slice(0, 100),
    lifetimeDays: lifetime ?? defaultLifetimeInDays,
    permissions:
      fields.get('reach') === 'chosen'
        ? givablePermissions(scope).filter((permission) => fields.has(`permission:${permission}`))
        : 'role',
    builds: buildsOf(scope).filter((build) => fields.has(buildName(build))),
  };
}

export function tokenFormProblems(form: TokenForm): TokenFormProblems {
  const nothing = form.permissions !== 'role' && form.permissions.length === 0 && form.builds.length === 0;
  return {
    name: form.name ? undefined : words.tokens.nameMissing,
    permissions: nothing ? words.tokens.nothingChosen : undefined,
  };
}

export function emptyTokenForm(): TokenForm {
  return { name: undefined, lifetimeDays: defaultLifetimeInDays, permissions: 'role', builds: [] };
}

export function tokenFormMarkup(given: {
  action: string;
  csrf: string;
  scope: TokenScope;
  form: TokenForm;
  problems: TokenFormProblems;
}): Markup {
  const { scope, form, problems } = given;
  const { team } = scope;
  return html`<form id="create-api-token" method="post" action="${given.action}">
    ${hiddenFields({ csrf: given.csrf, team: team?.slug })}
    ${card(
      html`${field({ name: 'name', label: words.tokens.name, value: form.name, hint: words.tokens.nameHint, maxlength: 100, problem: problems.name })}
      ${choice({
        name: 'lifetime',
        label: words.tokens.lifetime,
        value: String(form.lifetimeDays),
        options: lifetimesInDays.map((days) => ({ value: String(days), label: words.tokens.day(days) })),
      })}`,
    )}
    ${card(permissionChoice(scope, form, problems))}
    ${scope.projects.length > 0 ? card(buildChoice(scope, form), words.tokens.builds, words.tokens.buildsAbout) : ''}
    ${button({ id: 'create-api-token-submit', label: words.tokens.submit })}
  </form>`;
}

function permissionChoice(scope: TokenScope, form: TokenForm, problems: TokenFormProblems): Markup {
  const { permissions } = form;
  const asRole = scope.team ? words.tokens.asRole(scope.team.role) : words.tokens.asRoleEverywhere;
  return html`<fieldset>
    <legend>${words.tokens.permissions}</legend>
    ${problems.permissions ? notice('danger', problems.permissions) : ''}
    ${radio('reach', 'role', asRole, permissions === 'role')}
    ${radio('reach', 'chosen', words.tokens.chosen, permissions !== 'role')}
    <div class="columns indented">
      ${givablePermissions(scope).map((permission) =>
        checkbox({
          name: `permission:${permission}`,
          label: permissionTable[permission].words,
          hint: permission,
          checked: permissions !== 'role' && permissions.includes(permission),
        }),
      )}
    </div>
  </fieldset>`;
}

function buildChoice(scope: TokenScope, form: TokenForm): Markup {
  const isChosen = (name: string): boolean => form.builds.some((build) => buildName(build) === name);
  return html`<div class="columns">
    ${scope.projects.map(
      (project) =>
        html`<fieldset>
          <legend><code>${project.name}</code></legend>
          ${project.environments.map((environment) => {
            const name = buildName({ projectId: project.id, environment });
            return checkbox({ name, label: environment, checked: isChosen(name) });
          })}
        </fieldset>`,
    )}
  </div>`;
}

function radio(name: string, value: string, label: string, checked: boolean): Markup {
  return html`<div class="check">
    <input
      type="radio"
      id="${name}-${value}"
      name="${name}"
      value="${value}"
      ${checked ? html`checked` : ''}
    />
    <label for="${name}-${value}">${label}</label>
  </div>`;
}

function buildsOf(scope: TokenScope): { projectId: string; environment: string }[] {
  return scope.projects.flatMap(({ id, environments }) =>
    environments.map((environment) => ({ projectId: id, environment })),
  );
}

function buildName({ projectId, environment }: { projectId: string; environment: string }): string {
  return `build:${projectId}:${environment}`;
}
