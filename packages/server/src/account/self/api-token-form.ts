import { html } from 'hono/html';
import { permissionTable, type Permission, type Role } from '@tessera/contract';
import { button, card, checkbox, choice, field, hiddenFields, notice, type Markup } from '#pages';
import { words } from '../words.ts';

/** Where a token works: one team, or every team of the person. */
export type TokenScope = {
  team: { id: string; slug: string; name: string; role: Role } | undefined;
  projects: readonly { id: string; name: string; environments: readonly string[] }[];
};

export type TokenForm = {
  name: string | undefined;
  lifetimeDays: number;
  permissions: 'role' | Permission[];
  projectIds: string[];
  builds: { projectId: string; environment: string }[];
};

export type TokenFormProblems = {
  name?: string | undefined;
  permissions?: string | undefined;
};

export const lifetimesInDays = [1, 7, 30, 90, 365] as const;
const defaultLifetimeInDays = 30;

/** The permissions that a token for this team can be given one by one: never more than the person's role holds. */
export function givablePermissions({ team }: TokenScope): Permission[] {
  if (team === undefined) return [];
  return (Object.keys(permissionTable) as Permission[]).filter((permission) => {
    const row = permissionTable[permission];
    const isHeld = row[team.role] === 'may' || row[team.role] === 'fresh';
    return isHeld && (row.grant === 'if-given' || row.grant === 'per-project');
  });
}

/** Reads the form. Names that the scope does not have are not there to be given: they count for nothing. */
export function parseTokenForm(fields: ReadonlyMap<string, string>, scope: TokenScope): TokenForm {
  const lifetime = lifetimesInDays.find((days) => String(days) === fields.get('lifetime'));
  const isChosen = scope.team !== undefined && fields.get('reach') === 'chosen';
  return {
    name: fields.get('name')?.trim().slice(0, 100),
    lifetimeDays: lifetime ?? defaultLifetimeInDays,
    permissions: isChosen
      ? givablePermissions(scope).filter((permission) => fields.has(`permission:${permission}`))
      : 'role',
    projectIds: isChosen
      ? scope.projects.map(({ id }) => id).filter((id) => fields.has(projectName(id)))
      : [],
    builds: buildsOf(scope).filter((build) => fields.has(buildName(build))),
  };
}

export function tokenFormProblems(form: TokenForm): TokenFormProblems {
  return { name: form.name ? undefined : words.tokens.nameMissing, permissions: permissionProblem(form) };
}

function permissionProblem({ permissions, projectIds, builds }: TokenForm): string | undefined {
  if (permissions === 'role') return undefined;
  if (permissions.length === 0 && builds.length === 0) return words.tokens.nothingChosen;
  const needsProjects = permissions.some((permission) => permissionTable[permission].grant === 'per-project');
  return needsProjects && projectIds.length === 0 ? words.tokens.projectsMissing : undefined;
}

export function emptyTokenForm(): TokenForm {
  return {
    name: undefined,
    lifetimeDays: defaultLifetimeInDays,
    permissions: 'role',
    projectIds: [],
    builds: [],
  };
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
    ${card(permissionChoice(scope, form, problems.permissions))}
    ${buildsOf(scope).length > 0 ? card(buildChoice(scope, form), words.tokens.builds, words.tokens.buildsAbout) : ''}
    ${button({ id: 'create-api-token-submit', label: words.tokens.submit })}
  </form>`;
}

function permissionChoice(scope: TokenScope, form: TokenForm, problem: string | undefined): Markup {
  const { team, projects } = scope;
  const { permissions } = form;
  if (team === undefined) {
    return html`<h2>${words.tokens.permissions}</h2>
      <p>${words.tokens.asRoleEverywhere}</p>`;
  }
  return html`<fieldset>
    <legend>${words.tokens.permissions}</legend>
    ${problem ? notice('danger', problem) : ''}
    ${radio('reach', 'role', words.tokens.asRole(team.role), permissions === 'role')}
    ${radio('reach', 'chosen', words.tokens.chosen, permissions !== 'role')}
    <div class="columns indented">
      ${givablePermissions(scope).map((permission) =>
        checkbox({
          name: `permission:${permission}`,
          label: permissionTable[permission].words,
          code: permission,
          checked: permissions !== 'role' && permissions.includes(permission),
        }),
      )}
    </div>
    ${projects.length > 0 ? projectChoice(scope, form) : ''}
  </fieldset>`;
}

function projectChoice({ projects }: TokenScope, form: TokenForm): Markup {
  return html`<fieldset class="indented">
    <legend>${words.tokens.onlyProjects}</legend>
    <div class="columns">
      ${projects.map(({ id, name }) =>
        checkbox({ name: projectName(id), label: name, checked: form.projectIds.includes(id) }),
      )}
    </div>
  </fieldset>`;
}

function buildChoice(scope: TokenScope, form: TokenForm): Markup {
  const isTicked = (name: string): boolean => form.builds.some((build) => buildName(build) === name);
  return html`<div class="columns">
    ${scope.projects.map(
      (project) =>
        html`<fieldset>
          <legend><code>${project.name}</code></legend>
          ${environmentsToBuild(project).map((environment) => {
            const name = buildName({ projectId: project.id, environment });
            return checkbox({ name, label: environment, checked: isTicked(name) });
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

/** Every build whose tokens this scope could give: only an owner lets a token build. */
function buildsOf({ team, projects }: TokenScope): { projectId: string; environment: string }[] {
  if (team?.role !== 'owner') return [];
  return projects.flatMap((project) =>
    environmentsToBuild(project).map((environment) => ({ projectId: project.id, environment })),
  );
}

/** Nothing is built for development: that is a person's own machine. */
function environmentsToBuild({ environments }: TokenScope['projects'][number]): string[] {
  return environments.filter((environment) => environment !== 'development');
}

function projectName(id: string): string {
  return `project:${id}`;
}

function buildName({ projectId, environment }: { projectId: string; environment: string }): string {
  return `build:${projectId}:${environment}`;
}
