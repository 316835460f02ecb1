import { createCookieJar, type CookieJar } from './cookie-jar.ts';
import { findButton, findForm } from './html.ts';
import { send, type Answer } from './send.ts';

const redirectLimit = 15;

/** A browser without a screen and without JavaScript: cookies, redirects and forms. */
export type Visitor = {
  readonly cookies: CookieJar;
  /** Opens an address as a person does, and follows no redirect. */
  open(url: string | URL, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Opens an address and follows redirects to a page. `until` stops before an address that it accepts. */
  visit(url: string | URL, until?: (url: URL) => boolean): Promise<Answer>;
  /** Follows the redirect of an answer, if it is one, to a page. */
  follow(answer: Answer, until?: (url: URL) => boolean): Promise<Answer>;
  /** Fills in and sends a form of a page; the redirect that answers it is not followed. */
  submit(
    page: Answer,
    formId: string,
    values?: Readonly<Record<string, string>>,
    buttonId?: string,
  ): Promise<Answer>;
};

export function createVisitor(cookies: CookieJar = createCookieJar()): Visitor {
  async function go(
    url: URL,
    options: { method?: string; headers?: Readonly<Record<string, string>>; body?: string } = {},
  ): Promise<Answer> {
    const cookie = cookies.header(url);
    const answer = await send(url, {
      ...options,
      headers: {
        accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'sec-fetch-site': 'none',
        'sec-fetch-user': '?1',
        ...(cookie === undefined ? {} : { cookie }),
        ...options.headers,
      },
    });
    cookies.store(url, answer.headers['set-cookie']);
    return answer;
  }

  async function follow(first: Answer, until: (url: URL) => boolean = () => false): Promise<Answer> {
    let answer = first;
    for (let hop = 0; isRedirect(answer); hop++) {
      if (hop === redirectLimit)
        throw new Error(`${first.url.href} leads round in a circle: ${answer.url.href}`);
      const next = answer.location();
      if (until(next)) return answer;
      answer = await go(next, { headers: { 'sec-fetch-site': siteOf(answer.url, next) } });
    }
    return answer;
  }

  return {
    cookies,
    open: (url, headers = {}) => go(new URL(url), { headers }),
    follow,
    visit: async (url, until) => follow(await go(new URL(url)), until),
    async submit(page, formId, values = {}, buttonId) {
      const form = findForm(page.text, formId, page.url);
      for (const name of Object.keys(values)) {
        if (!form.names.has(name))
          throw new Error(`form #${formId} of ${page.url.href} has no field ${name}`);
      }
      const button = buttonId === undefined ? {} : findButton(page.text, buttonId);
      const action = button.formAction === undefined ? form.action : new URL(button.formAction, page.url);
      const fields = new URLSearchParams({ ...form.fields, ...values });
      if (button.name !== undefined) fields.set(button.name, button.value ?? '');
      const headers = {
        'sec-fetch-site': siteOf(page.url, action),
        origin: page.url.origin,
      };
      if (form.method === 'GET') {
        action.search = fields.toString();
        return go(action, { headers });
      }
      return go(action, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: fields.toString(),
      });
    },
  };
}

export function isRedirect(answer: Answer): boolean {
  return [301, 302, 303, 307, 308].includes(answer.status);
}

function siteOf(from: URL, to: URL): string {
  if (from.origin === to.origin) return 'same-origin';
  // Ports and names below the same registrable domain are one site; `localhost` is one of its own.
  return from.hostname === to.hostname ? 'same-site' : 'cross-site';
}
