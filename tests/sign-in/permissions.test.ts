import { expect, test } from 'vitest';
import { createClient, ProblemError } from '../../packages/contract/src/index.ts';
import { findForm, textOf } from '../harness/html.ts';
import { send, sendForm } from '../harness/send.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import type { TokenAnswer } from '../harness/sign-in-world.ts';
import { basic, describeSignIn } from './on-both-databases.ts';
import { openApp, type OpenApp } from './open-app.ts';

describeSignIn('permissions of apps', (place) => {
  const scope = 'openid offline_access project:read';
  type Readable = 'project:read' | 'user:read' | 'team:read' | 'passport:read' | 'protection:read';
  const withPermissions = (permissions: Readable[] = ['project:read']) => openApp(place, { permissions });
  const projects = async (token: string, team: string) =>
    (
      await send(`${place.tessera.urls.api}/v9/projects?teamId=${team}`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).status;
  const anotherTeam = async () => {
    const slug = `team-${Math.random().toString(36).slice(2, 10)}`;
    return (await place.world.call('teams.create', { body: { slug, name: `Team ${slug}` } })).id;
  };

  /** A sign-in whose consent form is filled in with a team. */
  async function signInFor(app: OpenApp, team: string, wanted = scope): Promise<TokenAnswer> {
    const { visitor } = place.world.admin;
    const request = createAuthorizationRequest(place.tessera.urls.origin, app, {
      scope: wanted,
      prompt: 'consent',
    });
    const page = await visitor.visit(request.url);
    const answer = await visitor.submit(page, 'consent', { team }, 'consent-allow');
    const back = await visitor.follow(answer, (url) => url.href.startsWith(app.redirectUri));
    const code = back.location().searchParams.get('code') ?? '';
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: app.redirectUri,
      code_verifier: request.codeVerifier,
    };
    const answered = await sendForm(`${place.tessera.urls.api}/login/oauth/token`, form, basic(app));
    expect(answered.status).toBe(200);
    return answered.json() as TokenAnswer;
  }

  test('the consent page says them in plain words and asks for the team', async () => {
    const app = await withPermissions();
    const other = await anotherTeam();
    const request = createAuthorizationRequest(place.tessera.urls.origin, app, { scope });
    const page = await place.world.admin.visitor.visit(request.url);
    expect(textOf(page.text)).toContain('See the projects of the team');
    expect(page.text).toContain('data-scope="project:read"');
    expect(findForm(page.text, 'consent', page.url).names).toContain('team');
    expect(page.text).toContain(`value="${other}"`);
    const { visitor } = place.world.admin;
    const { csrf } = findForm(page.text, 'consent', page.url).fields;
    const action = findForm(page.text, 'consent', page.url).action;
    for (const team of ['', 'team_000000000000000000000000']) {
      const body = new URLSearchParams({ csrf: csrf ?? '', decision: 'allow', team }).toString();
      const answer = await send(action, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          cookie: visitor.cookies.header(action) ?? '',
          origin: place.tessera.urls.origin,
          'sec-fetch-site': 'same-origin',
        },
      });
      expect(answer.status).toBe(400);
      expect(textOf(answer.text)).toContain('No team was chosen');
    }
  });

  test('a token may do what was allowed, in the team that was chosen, and nothing else', async () => {
    const app = await withPermissions();
    const [one, two] = [await anotherTeam(), await anotherTeam()];
    const tokens = await signInFor(app, one);
    expect(tokens.scope).toBe(scope);
    const token = tokens.access_token;
    expect([await projects(token, one), await projects(token, two)]).toEqual([200, 404]);
    const call = createClient({ baseUrl: place.tessera.urls.api, token });
    const create = call('projects.create', { query: { teamId: one }, body: { name: 'mine' } });
    await expect(create).rejects.toMatchObject({ problem: { status: 403 } });
    await expect(call('users.get', {})).rejects.toMatchObject({ problem: { status: 403 } });
    // The same app, the other team: two consents, two tokens.
    const other = (await signInFor(app, two)).access_token;
    expect([await projects(other, one), await projects(other, two)]).toEqual([404, 200]);
    expect([await projects(token, one), await projects(token, two)]).toEqual([200, 404]);
  });

  test('what stands in a project or team and is another permission is read with that alone', async () => {
    const team = await anotherTeam();
    const teamId = team;
    await place.world.call('projects.create', { query: { teamId }, body: { name: 'site' } });
    const addresses = [{ value: '192.0.2.0/24', note: 'the office' }];
    await place.world.call('projects.update', {
      params: { idOrName: 'site' },
      query: { teamId },
      body: { trustedIps: { deploymentType: 'all', protectionMode: 'additional', addresses } },
    });
    const app = await withPermissions(['project:read', 'team:read', 'passport:read', 'protection:read']);
    const bare = ['createdAt', 'environments', 'id', 'name', 'teamId', 'updatedAt'];
    const ofProtection = [
      'optionsAllowlist',
      'passwordProtection',
      'protectionExceptions',
      'ssoProtection',
      'trustedIps',
      'trustedSources',
    ];
    for (const [more, fields, ofTeam] of [
      ['', [], []],
      [' passport:read', ['passport'], ['defaultPassport']],
      [' protection:read', ofProtection, []],
    ] as const) {
      const { access_token: token } = await signInFor(app, team, `openid project:read team:read${more}`);
      const call = createClient({ baseUrl: place.tessera.urls.api, token });
      const one = await call('projects.get', { params: { idOrName: 'site' }, query: { teamId } });
      expect(Object.keys(one).toSorted()).toEqual([...bare, ...fields].toSorted());
      expect((await call('projects.list', { query: { teamId } })).projects).toEqual([one]);
      expect(JSON.stringify(one).includes('the office')).toBe(more === ' protection:read');
      const filtered = call('projects.list', { query: { teamId, passport: 'disabled' } });
      const statusOf = await filtered.then(
        () => 200,
        (error: unknown) => (error instanceof ProblemError ? error.problem.status : error),
      );
      expect(statusOf).toBe(more === ' passport:read' ? 200 : 403);
      const found = await call('teams.get', { params: { id: team } });
      expect(Object.keys(found).filter((name) => name === 'defaultPassport')).toEqual(ofTeam);
      const { teams } = await call('teams.list', {});
      expect(teams.filter(({ id }) => id === team)).toEqual([found]);
    }
    // Whoever calls by their role sees all of it.
    const whole = await place.world.call('projects.get', { params: { idOrName: 'site' }, query: { teamId } });
    expect(Object.keys(whole)).toEqual(
      expect.arrayContaining([...bare, ...ofProtection, 'passport', 'oidcTokenConfig']),
    );
  });

  test('the refreshed token is of the same team, and narrows with its scope', async () => {
    const app = await withPermissions();
    const team = await anotherTeam();
    const tokens = await signInFor(app, team);
    const refresh = async (token: string, more: Record<string, string> = {}) =>
      (await app.token({ grant_type: 'refresh_token', refresh_token: token, ...more })).json() as TokenAnswer;
    const again = await refresh(tokens.refresh_token);
    expect(await projects(again.access_token, team)).toBe(200);
    const narrow = await refresh(again.refresh_token, { scope: 'openid' });
    expect(await projects(narrow.access_token, team)).toBe(403);
  });

  test('what the app may not ask for any more is gone from its tokens at once', async () => {
    const app = await withPermissions();
    const team = await anotherTeam();
    const { access_token: token } = await signInFor(app, team);
    const inTeam = { params: { id: app.clientId }, query: { teamId: place.world.team.id } };
    await place.world.call('apps.update', { ...inTeam, body: { permissions: [] } });
    expect(await projects(token, team)).toBe(403);
  });

  test('without a scope all that the app may have is asked for', async () => {
    const app = await withPermissions(['user:read']);
    const tokens = await app.signIn({ scope: undefined });
    expect(tokens.scope.split(' ')).toContain('user:read');
    // The person's own profile is in no team.
    const call = createClient({ baseUrl: place.tessera.urls.api, token: tokens.access_token });
    expect(await call('users.get', {})).toMatchObject({ user: { email: 'ada@acme.example' } });
  });

  test('consent is remembered for the team, and asked for again for more', async () => {
    const app = await withPermissions(['project:read', 'user:read']);
    await signInFor(app, await anotherTeam());
    const silent = async (wanted: string) =>
      (await app.authorize({ scope: wanted, prompt: 'none' })).answer.searchParams;
    expect((await silent(scope)).get('code')).not.toBeNull();
    expect((await silent(`${scope} user:read`)).get('error')).toBe('consent_required');
  });

  test('an app cannot be given what needs the person themselves', async () => {
    for (const permission of ['connector:write', 'api-token:write', 'user:write', 'oidc-token:build']) {
      const made = openApp(place, { permissions: [permission as 'user:read'] });
      await expect(made).rejects.toMatchObject({ problem: { code: 'invalid_app' } });
    }
  });
});
