import { expect, test } from 'vitest';
import { setUpPerson, type Person } from '../harness/front-door.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import type { TokenAnswer } from '../harness/sign-in-world.ts';
import { describeSignIn } from './on-both-databases.ts';
import { openApp, type OpenApp } from './open-app.ts';

describeSignIn('apps for members of their team alone', (place) => {
  let count = 0;

  /** Somebody with an account, who is in a team of their own. */
  async function invite(teamId?: string): Promise<Person> {
    const { call } = place.world;
    const email = `guest-${(count += 1)}@example.com`;
    const slug = `guests-${Math.random().toString(36).slice(2, 10)}`;
    const id = teamId ?? (await call('teams.create', { body: { slug, name: slug } })).id;
    const { invitation } = await call('members.add', { params: { id }, body: { email, role: 'viewer' } });
    return setUpPerson(invitation?.url ?? '', {
      email,
      name: 'Guest',
      password: 'seven words make a good one',
    });
  }
  async function signIn(app: OpenApp, person: Person): Promise<TokenAnswer> {
    const request = createAuthorizationRequest(place.tessera.urls.origin, app);
    const answer = await passSignInPages(person.visitor, request.url, person);
    const answered = await app.token({
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
      code_verifier: request.codeVerifier,
    });
    if (answered.status !== 200) throw new Error(`${answer.search} ${answered.text}`);
    return answered.json() as TokenAnswer;
  }

  test('a stranger is refused at the app, a member is not', async () => {
    const app = await openApp(place, { signInAccess: 'team' });
    const stranger = await invite();
    const { url } = createAuthorizationRequest(place.tessera.urls.origin, app);
    const answer = await passSignInPages(stranger.visitor, url, stranger);
    expect(answer.searchParams.get('error')).toBe('access_denied');
    const member = await invite(place.world.team.id);
    expect(await signIn(app, member)).toHaveProperty('id_token');
  });

  test('an app that is closed to strangers refreshes none of theirs', async () => {
    const app = await openApp(place);
    const stranger = await signIn(app, await invite());
    const member = await signIn(app, await invite(place.world.team.id));
    await place.world.call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: place.world.team.id },
      body: { signInAccess: 'team' },
    });
    const refresh = (token: string) => app.token({ grant_type: 'refresh_token', refresh_token: token });
    expect((await refresh(stranger.refresh_token)).json()).toMatchObject({ error: 'invalid_grant' });
    expect((await refresh(member.refresh_token)).status).toBe(200);
  });
});
