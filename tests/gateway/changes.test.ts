import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn, setUpPerson, type Person } from '../harness/front-door.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import {
  createPassportWorld,
  passPassport,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

/** A project of its own, and a browser that the gateway has just answered there: all of it is remembered now. */
type Stage = { site: ProtectedDeployment; visitor: Visitor; host: string };

/** Each is answered by what was before, then somebody changes something, and the next answer is by what is now. */
describe.each(databaseKinds)('what the gateway remembers, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let made = 0;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const query = () => ({ teamId: world.team.id });
  const update = ({ site }: Stage, body: object) =>
    world.call('projects.update', { params: { idOrName: site.projectId }, query: query(), body });
  const stranger = createVisitor();

  /** The status, and what the upstream is told: of whom, by which names, and with a token of its own or without. */
  async function ask(
    url: string,
    visitor: Visitor,
    { method = 'GET', path = '/' }: { method?: string; path?: string } = {},
  ): Promise<string> {
    const cookie = visitor.cookies.header(new URL(url));
    const answer = await send(`${url}${path}`, {
      method,
      headers: cookie === undefined ? {} : { cookie },
    });
    if (answer.status !== 200) {
      return `${answer.status} ${String(answer.headers['x-vercel-error'])}`;
    }
    const { headers } = answer.json() as Echo;
    const person = headers['x-vercel-oidc-passport-token'];
    const workload = headers['x-vercel-oidc-token'];
    const named =
      person === undefined ? 'nobody' : String(decodeJwt(person).aud).split('/').slice(3).join('/');
    const own = workload === undefined ? 'no token' : (decodeJwt(workload).sub ?? '');
    return `200 ${named}; ${own}`;
  }

  async function stage({ signedIn = true }: { signedIn?: boolean } = {}): Promise<Stage> {
    const site = await world.protect(`site-${++made}`);
    const visitor = createVisitor();
    if (signedIn) await passPassport(visitor, site.url);
    expect(await ask(site.url, visitor)).toMatch(signedIn ? /^200 acme\/site-/ : /^401 /);
    expect(await ask(site.url, stranger)).toBe('401 SIGN_IN_REQUIRED');
    return { site, visitor, host: new URL(site.url).hostname };
  }

  describe('of a project', () => {
    test('is Passport, switched off and on again', async () => {
      const at = await stage({ signedIn: false });
      const { passport } = await world.call('projects.get', {
        params: { idOrName: at.site.projectId },
        query: query(),
      });
      await update(at, { passport: null });
      expect(await ask(at.site.url, stranger)).toMatch(/^200 nobody; /);
      await update(at, { passport });
      expect(await ask(at.site.url, stranger)).toBe('401 SIGN_IN_REQUIRED');
      await world.call('passport.assign', {
        query: query(),
        body: { connectorId: world.connectorId, deploymentType: 'preview', projectIds: [at.site.projectId] },
      });
      expect(await ask(at.site.url, stranger)).toMatch(/^200 nobody; /);
    });

    test.each([
      ['an exception', (host: string) => ({ protectionExceptions: [{ host, confirm: host }] }), {}],
      [
        'the OPTIONS allowlist',
        () => ({ optionsAllowlist: { paths: [{ value: '/api' }] } }),
        {
          method: 'OPTIONS',
          path: '/api',
        },
      ],
      [
        'trusted IPs',
        () => ({
          trustedIps: {
            deploymentType: 'all',
            protectionMode: 'exclusive',
            addresses: [{ value: '127.0.0.1' }],
          },
        }),
        {},
      ],
    ] as const)('is %s', async (_title, change, asked) => {
      const at = await stage({ signedIn: false });
      expect(await ask(at.site.url, stranger, asked)).toBe('401 SIGN_IN_REQUIRED');
      await update(at, change(at.host));
      expect(await ask(at.site.url, stranger, asked)).toMatch(/^200 nobody; /);
    });

    test('is the password, and who came by the one before', async () => {
      const at = await stage({ signedIn: false });
      await update(at, {
        passport: null,
        passwordProtection: { deploymentType: 'all', password: 'open sesame' },
      });
      expect(await ask(at.site.url, stranger)).toMatch(/^401 /);
      const page = await at.visitor.visit(at.site.url);
      await at.visitor.submit(page, 'password', { password: 'open sesame' }, 'password-submit');
      expect(await ask(at.site.url, at.visitor)).toMatch(/^200 nobody; /);
      await update(at, { passwordProtection: { deploymentType: 'all', password: 'another one' } });
      expect(await ask(at.site.url, at.visitor)).toMatch(/^401 /);
    });

    test('is its name, in both tokens', async () => {
      const at = await stage();
      const name = `renamed-${made}`;
      await update(at, { name });
      const answer = await ask(at.site.url, at.visitor);
      // The session cookie names the project as it was: it is another's now.
      expect(answer).toBe('401 SIGN_IN_REQUIRED');
      expect((await passPassport(at.visitor, at.site.url)).status).toBe(200);
      expect(await ask(at.site.url, at.visitor)).toMatch(
        new RegExp(`^200 acme/${name}/production; owner:acme:project:${name}:`),
      );
    });

    test('is whether its deployments have tokens', async () => {
      const at = await stage();
      await update(at, { oidcTokenConfig: { enabled: false } });
      expect(await ask(at.site.url, at.visitor)).toMatch(/; no token$/);
      await update(at, { oidcTokenConfig: { enabled: true } });
      expect(await ask(at.site.url, at.visitor)).toMatch(/; owner:/);
    });

    test('is which environments it has: one that was removed is none to have tokens of (federation-20)', async () => {
      const at = await stage({ signedIn: false });
      await update(at, { passport: null, environments: ['staging'] });
      const { url } = await world.call('deployments.create', {
        query: query(),
        body: { projectId: at.site.projectId, environment: 'staging', upstream: world.upstream.url },
      });
      const origin = url.replace(/\/$/, '');
      expect(await ask(origin, stranger)).toMatch(/; owner:acme:.*:environment:staging$/);
      await update(at, { environments: [] });
      expect(await ask(origin, stranger)).toMatch(/; no token$/);
      tessera.advance(91 * 60_000);
      expect(await ask(origin, stranger)).toMatch(/; no token$/);
      expect(await ask(at.site.url, stranger)).toMatch(/:environment:production$/);
    });

    test('is that it is there', async () => {
      const at = await stage();
      await world.call('projects.delete', { params: { idOrName: at.site.projectId }, query: query() });
      expect(await ask(at.site.url, at.visitor)).toBe('404 DEPLOYMENT_NOT_FOUND');
    });
  });

  describe('of a deployment', () => {
    test('is which of them has an alias', async () => {
      const at = await stage({ signedIn: false });
      await update(at, { passport: null });
      const host = `alias-${made}.${at.host.split('.').slice(1).join('.')}`;
      const url = at.site.url.replace(at.host, host);
      const deploy = (upstream: string) =>
        world.call('deployments.create', {
          query: query(),
          body: {
            projectId: at.site.projectId,
            environment: 'production',
            upstream,
            hosts: [{ host, kind: 'alias' }],
          },
        });
      const first = await deploy('http://127.0.0.1:9');
      expect(await ask(url, stranger)).toBe('502 UPSTREAM_UNREACHABLE');
      await deploy(world.upstream.url.replace('localhost', '127.0.0.1'));
      expect(await ask(url, stranger)).toMatch(/^200 /);
      expect(await ask(first.url.replace(/\/$/, ''), stranger)).toBe('502 UPSTREAM_UNREACHABLE');
    });

    test('is that it is there', async () => {
      const at = await stage();
      await world.call('deployments.delete', { params: { id: at.site.id }, query: query() });
      expect(await ask(at.site.url, at.visitor)).toBe('404 DEPLOYMENT_NOT_FOUND');
    });
  });

  describe('of a session', () => {
    const sessionsOf = async ({ site }: Stage) => {
      const { sessions } = await world.call('passport-sessions.list', {
        query: { ...query(), projectId: site.projectId },
      });
      return sessions;
    };
    const ends: readonly (readonly [string, (at: Stage) => Promise<unknown>])[] = [
      [
        'the team has ended it',
        async (at) => {
          const [session] = await sessionsOf(at);
          await world.call('passport-sessions.end', { params: { sid: session?.sid ?? '' }, query: query() });
        },
      ],
      [
        'the team has ended all of the project',
        ({ site }) =>
          world.call('passport-sessions.end-many', { query: { ...query(), projectId: site.projectId } }),
      ],
      [
        'the visitor has signed out',
        async ({ site, visitor }) => {
          const cookies = visitor.cookies.header(new URL(site.url)) ?? '';
          const { status } = await send(`${site.url}/.well-known/vercel/passport/sign-out`, {
            method: 'POST',
            headers: { cookie: cookies, origin: site.url, 'sec-fetch-site': 'same-origin' },
          });
          expect(status).toBe(200);
        },
      ],
    ];
    test.each(ends)('is that it goes on, until %s', async (_title, end) => {
      const at = await stage();
      await end(at);
      expect(await ask(at.site.url, at.visitor)).toBe('401 SIGN_IN_REQUIRED');
    });

    test('is that its time is not over', async () => {
      const at = await stage();
      tessera.advance(12 * 3_600_000 - 2_000);
      expect(await ask(at.site.url, at.visitor)).toMatch(/^200 acme/);
      tessera.advance(2_000);
      expect(await ask(at.site.url, at.visitor)).toBe('401 SIGN_IN_REQUIRED');
    });
  });

  test('of people of the team, is that they are members and may use their account', async () => {
    const invite = async (name: string): Promise<{ person: Person; id: string }> => {
      const email = `${name}@acme.example`;
      const { invitation } = await world.call('members.add', {
        params: { id: world.team.id },
        body: { email, role: 'viewer' },
      });
      const person = await setUpPerson(invitation?.url ?? '', {
        email,
        name,
        password: 'a long enough passphrase, 7 words',
      });
      const { members } = await world.call('members.list', { params: { id: world.team.id }, query: {} });
      return { person, id: members.find((member) => member.email === email)?.userId ?? '' };
    };
    const at = await stage({ signedIn: false });
    await update(at, { passport: null, ssoProtection: { deploymentType: 'all' } });
    const enter = async ({ person }: { person: Person }) => {
      const visitor = createVisitor();
      const login = await visitor.visit(at.site.url);
      await visitor.follow(await logIn(visitor, login, person));
      expect(await ask(at.site.url, visitor)).toMatch(/^200 acme/);
      return visitor;
    };
    const [mia, tom] = [await invite('mia'), await invite('tom')];
    const [asMia, asTom] = [await enter(mia), await enter(tom)];
    await world.call('members.remove', { params: { id: world.team.id, userId: mia.id } });
    expect(await ask(at.site.url, asMia)).toBe('401 SIGN_IN_REQUIRED');
    expect(await ask(at.site.url, asTom)).toMatch(/^200 acme/);
    await world.call('users.disable', { params: { idOrEmail: tom.id } });
    expect(await ask(at.site.url, asTom)).toBe('401 SIGN_IN_REQUIRED');
  });

  test('of a team, is whether it has Passport', async () => {
    const at = await stage({ signedIn: false });
    const give = (passport: boolean) =>
      world.call('team-features.update', { params: { idOrSlug: world.team.id }, body: { passport } });
    await give(false);
    const without = await ask(at.site.url, stranger);
    await give(true);
    expect([without, await ask(at.site.url, stranger)]).toEqual([
      expect.not.stringMatching(/^200 |SIGN_IN_REQUIRED/),
      '401 SIGN_IN_REQUIRED',
    ]);
  });

  // Last: every URL of the team is another one afterwards.
  test('of a team, is its slug', async () => {
    const at = await stage();
    await world.call('teams.update', { params: { id: world.team.id }, body: { slug: 'acme-2' } });
    expect(await ask(at.site.url, at.visitor)).toBe('401 SIGN_IN_REQUIRED');
    expect((await passPassport(at.visitor, at.site.url)).status).toBe(200);
    expect(await ask(at.site.url, at.visitor)).toMatch(/^200 acme-2\/.*; owner:acme-2:/);
  });
});
