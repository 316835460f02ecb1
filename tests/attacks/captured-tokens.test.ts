import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PassportError, verifyIdentity } from '../../packages/passport/src/index.ts';
import { createCookieJar } from '../harness/cookie-jar.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import {
  createPassportWorld,
  passPassport,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

const sessionCookie = '_vercel_passport';

describe('what somebody captured of a visitor (advisory-extra: token of another project)', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let visitor: Visitor;
  let echo: Echo;
  /** A second deployment of the same project, another project, and a project of another team. */
  let elsewhere: Record<'host' | 'project' | 'team', ProtectedDeployment>;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    elsewhere = {
      host: await deployAgain(world),
      project: await world.protect('other-project'),
      team: await protectInOtherTeam(world),
    };
    visitor = createVisitor();
    const page = await passPassport(visitor, `${world.deployment.url}/`);
    if (page.status !== 200) throw new Error(`the visitor got ${page.status}: ${page.text}`);
    echo = page.json() as Echo;
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  /** The cookies of one host, as they would be on another. */
  function cookiesFor(target: ProtectedDeployment): string {
    const jar = createCookieJar();
    const host = new URL(target.url).hostname;
    for (const { name, value } of visitor.cookies.list(new URL(world.deployment.url).hostname)) {
      jar.set({ name, value, host });
    }
    return jar.header(new URL(target.url)) ?? '';
  }

  const program = { accept: 'application/json' };
  const opens = async (url: string, headers: Record<string, string>): Promise<Answer> =>
    send(`${url}/`, { headers: { ...program, ...headers } });

  test('opens the deployment it was made for', async () => {
    expect((await opens(world.deployment.url, { cookie: cookiesFor(world.deployment) })).status).toBe(200);
  });

  test.each(['host', 'project', 'team'] as const)(
    'a session cookie is refused on another %s',
    async (where) => {
      const target = elsewhere[where];
      const answer = await opens(target.url, { cookie: cookiesFor(target) });
      expect(answer.status, answer.text).toBe(401);
      expect(answer.json()).toHaveProperty('error.code');
    },
  );

  test('a session cookie without its companion is refused', async () => {
    const alone = cookiesFor(world.deployment)
      .split('; ')
      .filter((pair) => pair.startsWith(`${sessionCookie}=`));
    expect(alone).toHaveLength(1);
    expect((await opens(world.deployment.url, { cookie: alone[0] ?? '' })).status).toBe(401);
  });

  test('two session cookies of one name are refused', async () => {
    const cookie = cookiesFor(world.deployment);
    const own = cookie.split('; ').find((pair) => pair.startsWith(`${sessionCookie}=`)) ?? '';
    for (const several of [`${cookie}; ${own}`, `${sessionCookie}=tossed; ${cookie}`]) {
      expect((await opens(world.deployment.url, { cookie: several })).status).toBe(401);
    }
  });

  test('the token of the header is no session cookie, here or elsewhere', async () => {
    const token = echo.headers['x-vercel-oidc-passport-token'] ?? '';
    expect(decodeProtectedHeader(token).typ).not.toBe('passport-session+jwt');
    for (const target of [world.deployment, ...Object.values(elsewhere)]) {
      const cookie = cookiesFor(target).replace(/_vercel_passport=[^;]*/, `${sessionCookie}=${token}`);
      expect((await opens(target.url, { cookie })).status).toBe(401);
    }
  });

  test('the token of the header opens no door as a header or a bearer', async () => {
    const token = echo.headers['x-vercel-oidc-passport-token'] ?? '';
    for (const target of [world.deployment, ...Object.values(elsewhere)]) {
      const answer = await opens(target.url, {
        'x-vercel-oidc-passport-token': token,
        'x-vercel-trusted-oidc-idp-token': token,
        authorization: `Bearer ${token}`,
      });
      expect(answer.status).toBe(401);
    }
    const rest = await send(`${tessera.urls.api}/v2/user`, { headers: { authorization: `Bearer ${token}` } });
    expect(rest.status).toBe(401);
  });

  test("the deployment's own token opens no door of ours", async () => {
    const token = echo.headers['x-vercel-oidc-token'] ?? '';
    expect(decodeJwt(token)['project']).toBe(world.deployment.projectName);
    for (const [url, headers] of [
      [`${tessera.urls.api}/v2/user`, { authorization: `Bearer ${token}` }],
      [`${tessera.urls.api}/login/oauth/userinfo`, { authorization: `Bearer ${token}` }],
      [`${world.deployment.url}/`, { cookie: `${sessionCookie}=${token}` }],
    ] as const) {
      expect((await send(url, { headers: { ...program, ...headers } })).status).toBe(401);
    }
  });

  test('both tokens name the one deployment, and live for minutes (security-88)', () => {
    const claims = decodeJwt(echo.headers['x-vercel-oidc-passport-token'] ?? '');
    expect(claims).toMatchObject({
      iss: `${tessera.urls.passport}/acme`,
      aud: `${tessera.urls.origin}/acme/site/production`,
      external_sub: 'staff|grace',
      deployment_id: world.deployment.id,
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBeLessThanOrEqual(300);
  });

  test('and by what the deployments verify with, the token is good at none but the one (security-88)', async () => {
    const token = echo.headers['x-vercel-oidc-passport-token'] ?? '';
    const { passport, origin } = tessera.urls;
    const verify = (team: string, project: string, environment: string) =>
      verifyIdentity(token, {
        issuer: `${passport}/${team}`,
        audience: `${origin}/${team}/${project}/${environment}`,
      }).then(
        ({ externalSub }) => externalSub,
        (error: unknown) => (error instanceof PassportError ? error.code : error),
      );
    expect(await verify('acme', 'site', 'production')).toBe('staff|grace');
    expect(await verify('acme', 'site', 'preview')).toBe('audience');
    expect(await verify('acme', 'other-project', 'production')).toBe('audience');
    // The same keys sign for this team, whose project has the same name.
    expect(await verify('rival', 'site', 'production')).toBe('issuer');
    tessera.advance(301_000);
    const fresh = (
      await opens(world.deployment.url, { cookie: cookiesFor(world.deployment) })
    ).json() as Echo;
    expect(fresh.headers['x-vercel-oidc-passport-token']).not.toBe(token);
  });

  test('a session that the team ended is over at once', async () => {
    const other = createVisitor();
    await passPassport(other, `${world.deployment.url}/`);
    const { sessions } = await world.call('passport-sessions.list', { query: { teamId: world.team.id } });
    const cookie = other.cookies.header(new URL(world.deployment.url)) ?? '';
    expect((await opens(world.deployment.url, { cookie })).status).toBe(200);
    for (const { sid } of sessions) {
      await world.call('passport-sessions.end', { params: { sid }, query: { teamId: world.team.id } });
    }
    expect((await opens(world.deployment.url, { cookie })).status).toBe(401);
  });
});

async function deployAgain({
  call,
  team,
  deployment,
  upstream,
}: PassportWorld): Promise<ProtectedDeployment> {
  const again = await call('deployments.create', {
    query: { teamId: team.id },
    body: {
      projectId: deployment.projectId,
      environment: 'production',
      upstream: upstream.url.replace('localhost', '127.0.0.1'),
    },
  });
  return { ...deployment, id: again.id, url: again.url.replace(/\/$/, '') };
}

async function protectInOtherTeam({
  call,
  protect,
  createConnector,
  team,
  connectorId,
}: PassportWorld): Promise<ProtectedDeployment> {
  const other = await call('teams.create', { body: { slug: 'rival', name: 'Rival' } });
  const { issuer } = await call('connectors.get', {
    params: { id: connectorId },
    query: { teamId: team.id },
  });
  const otherConnector = await createConnector(other.id, {
    issuer,
    clientId: 'tessera',
    clientSecret: 'a secret between the provider and Tessera',
  });
  // The same project name, at the same provider: nothing but the team differs.
  return protect('site', { teamId: other.id, connectorId: otherConnector });
}
