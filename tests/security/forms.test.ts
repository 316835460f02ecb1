import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findForm, findText } from '../harness/html.ts';
import { send, type Answer } from '../harness/send.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

/** Where a form stands, and its id. */
type Place = { visitor: () => Visitor; path: () => string; form: string; values?: Record<string, string> };

describe('forms of a running instance', () => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  }, 120_000);
  afterAll(() => tessera?.close());

  const admin = (): Visitor => world.admin.visitor;
  const authorize = (): string => createAuthorizationRequest(tessera.urls.origin, world.app).url.href;
  const places: Record<string, Place> = {
    login: { visitor: () => createVisitor(), path: authorize, form: 'login' },
    consent: { visitor: admin, path: authorize, form: 'consent', values: { decision: 'allow' } },
    'log-out': { visitor: admin, path: () => '/oauth/logout', form: 'logout' },
    'new token': { visitor: admin, path: () => '/account/tokens/new', form: 'create-api-token' },
    'sign out': { visitor: admin, path: () => '/account', form: 'sign-out' },
  };

  /** Fills the form in as a person would, and sends it as `change` says. */
  async function submit(
    { visitor: browser, path, form: id, values = {} }: Place,
    change: (sent: { fields: URLSearchParams; headers: Record<string, string> }) => void,
  ): Promise<Answer> {
    const visitor = browser();
    const page = await visitor.visit(new URL(path(), tessera.urls.origin));
    const form = findForm(page.text, id, page.url);
    const { email, password } = world.admin;
    const known: Record<string, string> = { email, password, name: 'x', ...values };
    const filled = Object.fromEntries(
      Object.entries(known).filter(([name]) => form.names.has(name) || name in values),
    );
    const sent = {
      fields: new URLSearchParams({ ...form.fields, ...filled }),
      headers: {
        cookie: visitor.cookies.header(form.action) ?? '',
        origin: tessera.urls.origin,
        'sec-fetch-site': 'same-origin',
        'content-type': 'application/x-www-form-urlencoded',
      },
    };
    change(sent);
    return send(form.action, { method: 'POST', headers: sent.headers, body: sent.fields.toString() });
  }

  const forgeries: [
    string,
    string,
    (sent: { fields: URLSearchParams; headers: Record<string, string> }) => void,
  ][] = [
    ['of a sibling host', 'cross_origin', ({ headers }) => (headers['sec-fetch-site'] = 'same-site')],
    ['of another site', 'cross_origin', ({ headers }) => (headers['sec-fetch-site'] = 'cross-site')],
    ['of nobody', 'cross_origin', ({ headers }) => (headers['sec-fetch-site'] = 'none')],
    ['of another origin', 'cross_origin', ({ headers }) => (headers['origin'] = 'https://evil.example')],
    ['of an opaque origin', 'cross_origin', ({ headers }) => (headers['origin'] = 'null')],
    ['of another port', 'cross_origin', ({ headers }) => (headers['origin'] = 'http://localhost:1')],
    ['without its token', 'form_expired', ({ fields }) => fields.delete('csrf')],
    ['with another token', 'form_expired', ({ fields }) => fields.set('csrf', 'A'.repeat(43))],
    ['without the cookie of its browser', 'form_expired', ({ headers }) => delete headers['cookie']],
  ];

  describe.each(Object.entries(places))('the form of %s', (_name, place) => {
    test.each(forgeries)('is refused %s (security-74)', async (_title, code, change) => {
      const answer = await submit(place, change);
      expect(answer.status).toBe(403);
      expect(findText(answer.text, 'error-code')).toBe(code);
      expect(answer.headers['set-cookie']?.some((line) => line.includes('tessera_session'))).not.toBe(true);
    });
  });

  test.each(['login', 'consent', 'log-out'])(
    'the form of %s is answered by a 303, so that it is sent nowhere else (security-8)',
    async (name) => {
      const answer = await submit(places[name]!, () => {});
      expect(answer.status, answer.text).toBe(303);
    },
  );

  test('a login form counts in the browser alone that it was shown to (security-75)', async () => {
    const attacker = createVisitor();
    const page = await attacker.visit(authorize());
    const form = findForm(page.text, 'login', page.url);
    const victim = createVisitor();
    await victim.visit(authorize());
    const { email, password } = world.admin;
    const answer = await send(form.action, {
      method: 'POST',
      headers: {
        cookie: victim.cookies.header(form.action) ?? '',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ ...form.fields, email, password }).toString(),
    });
    expect(findText(answer.text, 'error-code')).toBe('form_expired');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});
