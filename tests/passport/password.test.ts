import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { findForm, findText } from '../harness/html.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { lookInto } from '../harness/look-into.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const passwordPath = '/.well-known/vercel/passport/password';

describe.each(databaseKinds)('deployments with a password, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let made = 0;

  beforeAll(async () => {
    tessera = await startTessera(kind, { variables: { TESSERA_TRUST_PROXY: '127.0.0.1' } });
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const update = (projectId: string, body: object) =>
    world.call('projects.update', {
      params: { idOrName: projectId },
      query: { teamId: world.team.id },
      body,
    });
  const refusal = (projectId: string, body: object): Promise<string> =>
    update(projectId, body).then(
      () => 'taken',
      (error: unknown) => (error instanceof ProblemError ? error.message : String(error)),
    );

  /** A project of its own, whose tries nobody else has used up. */
  async function protect(password = 'open sesame') {
    const site = await world.protect(`password-${++made}`);
    await update(site.projectId, {
      passport: null,
      passwordProtection: { deploymentType: 'all', password },
    });
    const enter = async (visitor: Visitor, path: string, given: string): Promise<Answer> => {
      const form = await visitor.visit(`${site.url}${path}`);
      return visitor.submit(form, 'password', { password: given }, 'password-submit');
    };
    return { ...site, enter, host: new URL(site.url).hostname };
  }

  const cookiesOf = (visitor: Visitor, host: string) => visitor.cookies.list(host).map(({ name }) => name);
  const program = (url: string, visitor: Visitor) =>
    send(url, { headers: { cookie: visitor.cookies.header(new URL(url)) ?? '' } });

  test('asks on a page of its own, and leads to the page that was asked for', async () => {
    const site = await protect();
    const visitor = createVisitor();
    const page = await visitor.visit(`${site.url}/a/page?with=query&_vercel_share=x`);
    expect(page.status).toBe(200);
    expect(page.url.pathname).toBe(passwordPath);
    expect(page.headers['cache-control']).toBe('no-store');
    expect(page.text).not.toContain('<script');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    const answer = await visitor.submit(page, 'password', { password: 'open sesame' }, 'password-submit');
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toBe(`${site.url}/a/page?with=query`);
    expect(cookiesOf(visitor, site.host)).toEqual(
      expect.arrayContaining(['_vercel_passport', '_vercel_passport_companion']),
    );
    const arrived = await visitor.follow(answer);
    expect(arrived.status).toBe(200);
    const { headers } = arrived.json() as Echo;
    expect(headers['x-vercel-oidc-passport-token']).toBeUndefined();
    expect(headers['x-vercel-oidc-token']).toBeDefined();
    expect(JSON.stringify(headers)).not.toContain('_vercel_passport');
    expect(arrived.headers['cache-control']).toContain('private');
    // The address of the form leads on, too, once the visitor may pass.
    expect((await visitor.visit(page.url)).url.href).toBe(`${site.url}/a/page?with=query`);
  });

  test('says what is wrong, and records it', async () => {
    const site = await protect();
    const visitor = createVisitor();
    for (const wrong of ['Open sesame', 'open sesame ', ' ', 'a'.repeat(73), '🔑'.repeat(73)]) {
      const answer = await site.enter(visitor, '/', wrong);
      expect(answer.status, wrong).toBe(422);
      expect(answer.text).toContain('That is not the password');
      expect(answer.text).not.toContain(wrong.trim() || 'nothing');
      expect(cookiesOf(visitor, site.host)).not.toContain('_vercel_passport');
      const reference = findText(answer.text, 'error-reference') ?? '';
      const attempt = await world.call('sign-in-attempts.find', {
        query: { teamId: world.team.id, reference },
      });
      expect(attempt).toMatchObject({ outcome: 'failed', deploymentId: site.id });
      expect(JSON.stringify(attempt)).not.toContain(JSON.stringify(wrong));
    }
    const again = await site.enter(visitor, '/kept', 'wrong');
    const right = await visitor.submit(again, 'password', { password: 'open sesame' }, 'password-submit');
    expect(right.headers.location).toBe(`${site.url}/kept`);
  });

  test('answers programs and forms of the deployment with 401, never with a redirect', async () => {
    const site = await protect();
    const answers = [
      await send(`${site.url}/api`, { headers: { accept: 'application/json' } }),
      await sendForm(`${site.url}/api`, { a: 'b' }, { accept: 'text/html' }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.headers.location).toBeUndefined();
    }
    expect(answers[0]?.json()).toMatchObject({
      error: { code: 'SIGN_IN_REQUIRED', signInUrl: `${site.url}/api` },
    });
  });

  test('takes 1 to 72 characters as they are, and never gives a password or its hash out again', async () => {
    const longest = '🔑'.repeat(72);
    const site = await protect(longest);
    expect((await site.enter(createVisitor(), '/', longest)).status).toBe(303);
    const query = { teamId: world.team.id };
    const project = await world.call('projects.get', { params: { idOrName: site.projectId }, query });
    expect(project.passwordProtection).toEqual({ deploymentType: 'all', changedAt: expect.any(Number) });
    const { records } = await world.call('audit-log.list', { query });
    const seen = JSON.stringify([project, records]);
    for (const secret of ['argon2', '🔑🔑', 'version']) expect(seen).not.toContain(secret);
    const change = records.find(
      ({ object, action }) => object === site.projectId && action === 'project.update',
    );
    expect(change?.after).toMatchObject({ passwordProtection: { deploymentType: 'all' } });
    for (const [password, why] of [
      ['', '1 to 72 characters'],
      ['🔑'.repeat(73), '1 to 72 characters, received 73'],
      ['a\nb', 'control characters'],
    ] as const) {
      const refused = await refusal(site.projectId, {
        passwordProtection: { deploymentType: 'all', password },
      });
      expect(refused).toContain(why);
      expect(refused).not.toContain('🔑');
    }
    const stored = await lookInto(tessera.database, 'select * from "projects"');
    expect(JSON.stringify(stored)).not.toContain('🔑');
    expect(JSON.stringify(stored)).toContain('$argon2id$');
  });

  test('keeps the password when only the scope changes, and wants one where there is none', async () => {
    const site = await protect();
    const visitor = createVisitor();
    await site.enter(visitor, '/', 'open sesame');
    await update(site.projectId, { passwordProtection: { deploymentType: 'preview' } });
    expect((await send(site.url)).status).toBe(200);
    await update(site.projectId, { passwordProtection: { deploymentType: 'all_except_custom_domains' } });
    expect((await program(site.url, visitor)).status).toBe(200);
    await update(site.projectId, { passwordProtection: null });
    expect(await refusal(site.projectId, { passwordProtection: { deploymentType: 'all' } })).toContain(
      'no password that could stay',
    );
  });

  test('a cookie counts on its host, for its project, and until the password changes', async () => {
    const site = await protect();
    const other = await protect();
    const visitor = createVisitor();
    await site.enter(visitor, '/', 'open sesame');
    expect((await program(site.url, visitor)).status).toBe(200);
    const carried = createVisitor(createCookieJar());
    for (const { name, value } of visitor.cookies.list(site.host)) {
      carried.cookies.set({ name, value, host: other.host });
    }
    expect((await program(other.url, carried)).status).toBe(401);
    // The same password again is another one, and so is the one that comes after none.
    const set = { passwordProtection: { deploymentType: 'all', password: 'open sesame' } };
    await update(site.projectId, set);
    expect((await program(site.url, visitor)).status).toBe(401);
    await site.enter(visitor, '/', 'open sesame');
    expect((await program(site.url, visitor)).status).toBe(200);
    await update(site.projectId, { passwordProtection: null });
    expect((await send(site.url)).status).toBe(200);
    await update(site.projectId, set);
    expect((await program(site.url, visitor)).status).toBe(401);
  });

  test('a cookie of another host of the same deployment does not count', async () => {
    const site = await protect();
    const alias = `alias-${made}.app.localhost`;
    const { port } = new URL(site.url);
    await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId: site.projectId,
        environment: 'production',
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
        hosts: [{ host: alias, kind: 'alias' }],
      },
    });
    const visitor = createVisitor();
    await site.enter(visitor, '/', 'open sesame');
    const carried = createVisitor();
    for (const { name, value } of visitor.cookies.list(site.host)) {
      carried.cookies.set({ name, value, host: alias });
    }
    expect((await program(`http://${alias}:${port}/`, carried)).status).toBe(401);
    // Nor does a form of one host at the other.
    const form = await visitor.visit(`http://${alias}:${port}/x`);
    const { action, fields } = findForm(form.text, 'password', form.url);
    action.host = new URL(site.url).host;
    const fresh = createVisitor();
    const posted = await sendForm(
      action,
      { ...fields, password: 'open sesame' },
      {
        cookie: visitor.cookies.header(form.url) ?? '',
        origin: site.url,
        accept: 'text/html',
      },
    );
    expect(posted.status).toBe(403);
    expect(findText(posted.text, 'error-code')).toBe('FORM_EXPIRED');
    expect(cookiesOf(fresh, site.host)).toEqual([]);
  });

  test('knowing the password is not being somebody: Passport asks anew', async () => {
    const site = await protect();
    const visitor = createVisitor();
    await site.enter(visitor, '/', 'open sesame');
    await update(site.projectId, { passport: { connectorId: world.connectorId, deploymentType: 'all' } });
    expect((await program(site.url, visitor)).status).toBe(401);
    await update(site.projectId, { passport: null, ssoProtection: { deploymentType: 'all' } });
    expect((await program(site.url, visitor)).status).toBe(401);
    // The form is no way around them either.
    const way = await (async () => {
      await update(site.projectId, { ssoProtection: null });
      const form = await createVisitor().visit(site.url);
      await update(site.projectId, { ssoProtection: { deploymentType: 'all' } });
      return form;
    })();
    const posted = await visitor.submit(way, 'password', { password: 'open sesame' }, 'password-submit');
    expect(cookiesOf(visitor, site.host).filter((name) => name === '_vercel_passport')).toHaveLength(1);
    expect(posted.status === 403 || posted.headers.location === `${site.url}/`).toBe(true);
    expect((await program(site.url, visitor)).status).toBe(401);
  });

  test('takes the form from its own page in its own browser alone', async () => {
    const site = await protect();
    const visitor = createVisitor();
    const page = await visitor.visit(`${site.url}/x`);
    const { action, fields } = findForm(page.text, 'password', page.url);
    const cookie = visitor.cookies.header(action) ?? '';
    const right = { ...fields, password: 'open sesame' };
    const good = { cookie, origin: site.url, 'sec-fetch-site': 'same-origin', accept: 'text/html' };
    const cases: [object, Record<string, string>, number, string][] = [
      [right, { ...good, origin: 'https://evil.example' }, 403, 'CROSS_ORIGIN'],
      [right, { ...good, origin: 'null' }, 403, 'CROSS_ORIGIN'],
      [right, { ...good, 'sec-fetch-site': 'same-site' }, 403, 'CROSS_ORIGIN'],
      [right, { cookie, accept: 'text/html' }, 403, 'CROSS_ORIGIN'],
      [right, { ...good, cookie: '' }, 403, 'FORM_EXPIRED'],
      [right, { ...good, cookie: cookie.replace(/=./g, '=x') }, 403, 'FORM_EXPIRED'],
      [{ password: 'open sesame' }, good, 403, 'FORM_EXPIRED'],
      [{ ...right, to: `${fields['to']}x` }, good, 403, 'FORM_EXPIRED'],
      [{ ...right, to: `x${fields['to']}` }, good, 403, 'FORM_EXPIRED'],
      [{ ...right, to: '' }, good, 403, 'FORM_EXPIRED'],
    ];
    for (const [form, headers, status, code] of cases) {
      const answer = await sendForm(action, form as Record<string, string>, headers);
      expect([answer.status, findText(answer.text, 'error-code')]).toEqual([status, code]);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    const typed = await send(action, {
      method: 'POST',
      headers: { ...good, 'content-type': 'application/json' },
      body: JSON.stringify(right),
    });
    expect(typed.status).toBe(415);
    const large = await sendForm(action, { ...right, password: 'a'.repeat(20_000) }, good);
    expect(large.status).toBe(413);
    const twice = await send(action, {
      method: 'POST',
      headers: { ...good, 'content-type': 'application/x-www-form-urlencoded' },
      body: `${new URLSearchParams(right).toString()}&password=other`,
    });
    expect(twice.status).toBe(422);
    expect((await send(action, { method: 'DELETE', headers: good })).status).toBe(405);
    tessera.advance(31 * 60_000);
    expect((await sendForm(action, right, good)).status).toBe(403);
  });

  test('leads nowhere but to its own host', async () => {
    const site = await protect();
    for (const path of ['//evil.example/x', '/%2f%2fevil.example', '/;@evil.example']) {
      const visitor = createVisitor();
      const start = await visitor.open(`${site.url}${path}`);
      const form = await visitor.follow(start);
      const answer = await visitor.submit(form, 'password', { password: 'open sesame' }, 'password-submit');
      expect(answer.location().origin).toBe(site.url);
      expect(answer.location().pathname).toBe(path);
    }
    const visitor = createVisitor();
    const long = await visitor.visit(`${site.url}/${'a'.repeat(4_000)}`);
    const answer = await visitor.submit(long, 'password', { password: 'open sesame' }, 'password-submit');
    expect(answer.headers.location).toBe(`${site.url}/`);
    // A link somebody made: the path stands in what only we can make.
    const asked = await createVisitor().open(`${site.url}${passwordPath}?to=https://evil.example`);
    expect(asked.status).toBe(403);
    expect(asked.headers.location).toBeUndefined();
  });

  test('signing out, and the team, end a visit', async () => {
    const site = await protect();
    const visitor = createVisitor();
    await site.enter(visitor, '/', 'open sesame');
    const query = { teamId: world.team.id };
    const { sessions } = await world.call('passport-sessions.list', {
      query: { ...query, projectId: site.projectId },
    });
    expect(sessions).toMatchObject([{ connectorId: 'scl_password', externalSub: 'password', email: null }]);
    await world.call('passport-sessions.end', { params: { sid: sessions[0]?.sid ?? '' }, query });
    expect((await program(site.url, visitor)).status).toBe(401);
    await site.enter(visitor, '/', 'open sesame');
    const before = visitor.cookies.header(new URL(site.url)) ?? '';
    await visitor.visit(`${site.url}/.well-known/vercel/passport/sign-out`);
    expect((await send(site.url, { headers: { cookie: before } })).status).toBe(401);
  });

  test('hides with the deployment from addresses that are not trusted', async () => {
    const site = await protect();
    await update(site.projectId, {
      trustedIps: {
        deploymentType: 'all',
        protectionMode: 'additional',
        addresses: [{ value: '203.0.113.0/24' }],
      },
    });
    const from = (address: string) => ({ 'x-forwarded-for': address, accept: 'text/html' });
    for (const path of ['/', passwordPath]) {
      expect((await send(`${site.url}${path}`, { headers: from('198.51.100.1') })).status).toBe(404);
    }
    expect((await send(site.url, { headers: from('203.0.113.1') })).status).toBe(303);
  });
});
