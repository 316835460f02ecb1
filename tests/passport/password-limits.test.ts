import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn } from '../harness/front-door.ts';
import { findForm } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { sendForm, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const quarter = 15 * 60_000;

describe.each(databaseKinds)('tries at the password of a deployment, on %s', (kind) => {
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

  test('limits wrong tries by network, whatever it calls itself, and right ones not at all', async () => {
    const site = await protect();
    const page = await createVisitor().visit(site.url);
    const visitor = createVisitor();
    const form = await visitor.visit(site.url);
    const { action, fields } = findForm(form.text, 'password', form.url);
    const post = (password: string, from: string) =>
      sendForm(
        action,
        { ...fields, password },
        {
          cookie: visitor.cookies.header(action) ?? '',
          origin: site.url,
          accept: 'text/html',
          'x-forwarded-for': from,
        },
      );
    for (let each = 0; each < 15; each += 1) {
      expect((await post('open sesame', '203.0.113.9')).status).toBe(303);
    }
    const spellings = ['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107'];
    const wrong = await Promise.all(
      Array.from({ length: 24 }, (_, index) => post('wrong', spellings[index % 3] ?? '')),
    );
    expect(wrong.filter(({ status }) => status === 422)).toHaveLength(10);
    const limited = wrong.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(14);
    expect(limited[0]?.headers['retry-after']).toBe('900');
    expect(limited[0]?.text).toContain('id="password"');
    expect((await post('open sesame', '203.0.113.7')).status).toBe(429);
    expect((await post('open sesame', '203.0.113.8')).status).toBe(303);
    // One customer's IPv6 network counts as one.
    const six = await Promise.all(
      Array.from({ length: 12 }, (_, index) => post('wrong', `2001:db8::${index.toString(16)}`)),
    );
    expect(six.filter(({ status }) => status === 422)).toHaveLength(10);
    // So do all the networks of one line: it closes the page to itself, and to nobody else.
    const line = await Promise.all(
      Array.from({ length: 110 }, (_, index) =>
        post('wrong'.repeat(20), `2001:db8:7:${index.toString(16)}::1`),
      ),
    );
    expect(line.filter(({ status }) => status === 422)).toHaveLength(10);
    expect((await post('open sesame', '2001:db8:8::1')).status).toBe(303);
    tessera.advance(quarter + 1_000);
    const later = await visitor.visit(site.url);
    expect((await visitor.submit(later, 'password', { password: 'open sesame' })).status).toBe(303);
    expect(page.status).toBe(200);
  });

  test('counts tries by project and network, whichever host and spelling they come to (advisory-22)', async () => {
    const site = await protect();
    const { port } = new URL(site.url);
    const alias = `by-another-name-${made}.app.localhost`;
    await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId: site.projectId,
        environment: 'preview',
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
        hosts: [{ host: alias, kind: 'alias' }],
      },
    });
    const tried = async (url: string, host: string): Promise<number> => {
      const visitor = createVisitor();
      const form = await visitor.visit(url);
      const { action, fields } = findForm(form.text, 'password', form.url);
      const answer = await sendForm(
        action,
        { ...fields, password: 'wrong' },
        {
          host,
          cookie: visitor.cookies.header(action) ?? '',
          origin: url,
          accept: 'text/html',
          'x-forwarded-for': '203.0.113.77',
        },
      );
      return answer.status;
    };
    const other = `http://${alias}:${port}`;
    const statuses: number[] = [];
    for (let each = 0; each < 4; each += 1) {
      statuses.push(await tried(site.url, new URL(site.url).host));
      statuses.push(await tried(site.url, new URL(site.url).host.toUpperCase()));
      statuses.push(await tried(other, `${alias}:${port}`));
    }
    expect(statuses).toEqual([...Array<number>(10).fill(422), 429, 429]);
  });

  test('limits what a whole project is tried with, and leaves other projects alone', async () => {
    const site = await protect();
    const other = await protect();
    const visitor = createVisitor();
    const form = await visitor.visit(site.url);
    const { action, fields } = findForm(form.text, 'password', form.url);
    const headers = { cookie: visitor.cookies.header(action) ?? '', origin: site.url, accept: 'text/html' };
    // Too long to be the password: counted, and no work for anybody.
    const wrong = { ...fields, password: 'w'.repeat(80) };
    const statuses: number[] = [];
    for (let each = 0; each < 104; each += 1) {
      const from = { 'x-forwarded-for': `198.51.100.${each}` };
      statuses.push((await sendForm(action, wrong, { ...headers, ...from })).status);
    }
    expect(statuses.filter((status) => status === 422)).toHaveLength(100);
    expect(statuses.slice(-4)).toEqual([429, 429, 429, 429]);
    expect((await other.enter(createVisitor(), '/', 'open sesame')).status).toBe(303);
    tessera.advance(quarter + 1_000);
  });

  test('keeps nobody out who gave this very password before, and lets them guess no more than others', async () => {
    const site = await protect();
    const known = createVisitor();
    expect((await site.enter(known, '/', 'open sesame')).status).toBe(303);
    expect(cookiesOf(known, site.host)).toContain('_vercel_passport_known');
    await known.visit(`${site.url}/.well-known/vercel/passport/sign-out`);
    // It is nothing on any other path, and no upstream sees it.
    expect(known.cookies.header(new URL(site.url)) ?? '').not.toContain('known');

    const guesser = createVisitor();
    const asked = await guesser.visit(site.url);
    const { action, fields } = findForm(asked.text, 'password', asked.url);
    const guess = (from: string, cookie: string, password = 'w'.repeat(80)) =>
      sendForm(
        action,
        { ...fields, password },
        { cookie, origin: site.url, accept: 'text/html', 'x-forwarded-for': from },
      );
    const plain = guesser.cookies.header(action) ?? '';
    for (let each = 0; each < 100; each += 1) await guess(`198.51.100.${each}`, plain);
    expect((await guess('203.0.113.50', plain, 'open sesame')).status).toBe(429);
    // Nor does a cookie that somebody made up help, or one of another host, or twice the same.
    const stolen =
      known.cookies.list(site.host).find(({ name }) => name === '_vercel_passport_known')?.value ?? '';
    const other = await protect();
    const elsewhere = createVisitor();
    await other.enter(elsewhere, '/', 'open sesame');
    const foreign = elsewhere.cookies
      .list(other.host)
      .find(({ name }) => name === '_vercel_passport_known')?.value;
    const changed = `${stolen.slice(0, -1)}${stolen.endsWith('A') ? 'B' : 'A'}`;
    for (const value of ['', 'x', changed, foreign, `${stolen}; _vercel_passport_known=${stolen}`]) {
      const cookie = `${plain}; _vercel_passport_known=${value}`;
      expect((await guess('203.0.113.50', cookie, 'open sesame')).status, value).toBe(429);
    }

    // Ten wrong tries of its own, while everybody else waits; then it is like everybody else.
    const form = await known.visit(site.url);
    const enter = (password: string) => known.submit(form, 'password', { password }, 'password-submit');
    for (let each = 0; each < 10; each += 1) expect((await enter('wrong')).status).toBe(422);
    expect((await enter('open sesame')).status).toBe(429);
    tessera.advance(quarter + 1_000);
    expect((await enter('open sesame')).status).toBe(303);

    // With another password it is over: only who knows that one is known.
    await update(site.projectId, { passwordProtection: { deploymentType: 'all', password: 'another one' } });
    const late = await known.visit(site.url);
    for (let each = 0; each < 100; each += 1) await guess(`198.51.100.${each}`, plain);
    expect((await known.submit(late, 'password', { password: 'another one' })).status).toBe(429);
    tessera.advance(quarter + 1_000);
  });

  test('a burst of tries at once does not keep people from logging in', async () => {
    const site = await protect();
    const visitor = createVisitor();
    const form = await visitor.visit(site.url);
    const { action, fields } = findForm(form.text, 'password', form.url);
    const burst = Array.from({ length: 60 }, (_, index) =>
      sendForm(
        action,
        { ...fields, password: 'wrong' },
        {
          cookie: visitor.cookies.header(action) ?? '',
          origin: site.url,
          accept: 'text/html',
          'x-forwarded-for': `192.0.2.${index}`,
        },
      ),
    );
    const person = createVisitor();
    const answer = await logIn(person, await person.visit(`${tessera.urls.origin}/login`), world.admin);
    expect(answer.status, answer.text).toBe(303);
    const statuses = (await Promise.all(burst)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([422, 503]));
    // Nobody's try is lost to a queue that was full.
    expect((await site.enter(visitor, '/', 'open sesame')).status).toBe(303);
  });
});
