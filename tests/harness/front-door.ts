import { findForm, findText, textOf } from './html.ts';
import type { Answer } from './send.ts';
import { createVisitor, isRedirect, type Visitor } from './visitor.ts';

export type NewPerson = { email: string; password: string; name: string };
/** Someone with an account, and the browser they are logged in with. */
export type Person = NewPerson & { visitor: Visitor };

/** Makes an account with a set-up link or an invitation: both lead to the same form. */
export async function setUpPerson(link: string, person: NewPerson): Promise<Person> {
  const visitor = createVisitor();
  const page = await visitor.visit(link);
  const { email, name, password } = person;
  // An invitation is for one address, which its form need not ask for.
  const asksForEmail = findForm(page.text, 'set-up', page.url).names.has('email');
  await expectPage(
    visitor,
    await visitor.submit(
      page,
      'set-up',
      { ...(asksForEmail ? { email } : {}), name, password },
      'set-up-submit',
    ),
  );
  return { visitor, ...person };
}

/** Fills in the login form that `page` is. The redirect that answers it is not followed. */
export function logIn(
  visitor: Visitor,
  page: Answer,
  { email, password }: { email: string; password: string },
): Promise<Answer> {
  return visitor.submit(page, 'login', { email, password }, 'login-submit');
}

/**
 * Makes an API token on the account page. It may do what the person may; with `builds`, also mint the tokens of
 * these environments.
 */
export async function createApiToken(
  origin: string,
  { visitor }: Person,
  token: {
    name: string;
    teamSlug?: string;
    builds?: readonly { projectId: string; environment: string }[];
    /** Nothing but its builds, instead of all that the person may do. */
    buildsOnly?: boolean;
    /** One of the form's; 30 by default. */
    lifetimeDays?: number;
  },
): Promise<string> {
  const query = token.teamSlug === undefined ? '' : `?team=${encodeURIComponent(token.teamSlug)}`;
  const page = await visitor.visit(`${origin}/account/tokens/new${query}`);
  const answer = await expectPage(
    visitor,
    await visitor.submit(
      page,
      'create-api-token',
      {
        name: token.name,
        ...(token.buildsOnly ? { reach: 'chosen' } : {}),
        ...(token.lifetimeDays === undefined ? {} : { lifetime: String(token.lifetimeDays) }),
        ...Object.fromEntries(
          (token.builds ?? []).map(({ projectId, environment }) => [
            `build:${projectId}:${environment}`,
            'on',
          ]),
        ),
      },
      'create-api-token-submit',
    ),
  );
  const text = findText(answer.text, 'api-token');
  if (text === undefined) throw new Error(`no API token was shown: ${textOf(answer.text).slice(0, 500)}`);
  return text;
}

/** Revokes an API token on the account page, found there by its name. */
export async function revokeApiToken(origin: string, { visitor }: Person, name: string): Promise<void> {
  const page = await visitor.visit(`${origin}/account/tokens`);
  const form = [...page.text.matchAll(/<form\b[\s\S]*?<\/form>/g)].find(([text]) =>
    text.includes(`Revoke the token ${name}`),
  )?.[0];
  if (form === undefined) throw new Error(`no API token "${name}" is listed`);
  const text = form.replace('<form ', '<form id="revoke" ');
  await expectPage(visitor, await visitor.submit({ ...page, text }, 'revoke', {}));
}

/** Follows to the page that ends a form's way, and fails with its words when it is an error page. */
export async function expectPage(visitor: Visitor, answer: Answer): Promise<Answer> {
  const page = isRedirect(answer) ? await visitor.follow(answer) : answer;
  if (page.status >= 400) {
    throw new Error(`${page.url.href} answered ${page.status}: ${textOf(page.text).slice(0, 800)}`);
  }
  return page;
}
