import { expect, test } from 'vitest';
import { send, sendForm } from '../harness/send.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { basic, describeSignIn } from './on-both-databases.ts';
import { openApp, type OpenApp } from './open-app.ts';

describeSignIn('callbacks by project', (place) => {
  const query = () => ({ teamId: place.world.team.id });
  const upstream = 'http://127.0.0.1:9';
  let count = 0;

  /** A project, with its deployment of an environment. */
  async function deploy(environment = 'production', git?: { fork: boolean }) {
    const name = `site-${(count += 1)}`;
    const project = await place.world.call('projects.create', { query: query(), body: { name } });
    const body = { projectId: project.id, environment, upstream, ...(git === undefined ? {} : { git }) };
    const made = await place.world.call('deployments.create', { query: query(), body });
    return { projectId: project.id, deploymentId: made.id, url: made.url.replace(/\/$/, '') };
  }
  const appOf = (projectId: string, more: { environments?: string[] } = {}) =>
    openApp(place, { redirectUris: [], redirectProjects: [{ projectId, path: '/cb', ...more }] });
  const at = (app: OpenApp, redirectUri: string, more: Record<string, string> = {}) =>
    createAuthorizationRequest(place.tessera.urls.origin, { ...app, redirectUri }, more);
  /** Whether the app is answered at a redirect URI, or the person gets a page of ours. */
  async function isAnswered(app: OpenApp, redirectUri: string): Promise<boolean> {
    const { admin } = place.world;
    const answer = await admin.visitor.open(at(app, redirectUri, { prompt: 'none' }).url);
    return answer.status === 303 && answer.location().href.startsWith(`${redirectUri}?`);
  }

  test('a deployment of the project is a callback, with the registered path alone', async () => {
    const { projectId, url } = await deploy();
    const app = await appOf(projectId);
    const redirectUri = `${url}/cb`;
    const { url: request, codeVerifier } = at(app, redirectUri);
    const answer = await passSignInPages(place.world.admin.visitor, request, place.world.admin);
    const form = {
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: codeVerifier,
    };
    const token = `${place.tessera.urls.api}/login/oauth/token`;
    expect((await sendForm(token, form, basic(app))).status).toBe(200);
    const { hostname } = new URL(url);
    for (const other of [
      `${url}/cb/`,
      `${url}/cb?x=1`,
      `${url}/other`,
      redirectUri.replace(hostname, hostname.toUpperCase()),
      redirectUri.replace(hostname, `${hostname}.`),
      redirectUri.replace('http:', 'https:'),
      redirectUri.replace(/:(\d+)\//, ':1/'),
      redirectUri.replace('//', '//user@'),
      redirectUri.replace(hostname, `nobody.${hostname}`),
    ]) {
      expect([other, await isAnswered(app, other)]).toEqual([other, false]);
    }
  });

  test('only the environments that the app selected, production by default', async () => {
    const preview = await deploy('preview');
    expect(await isAnswered(await appOf(preview.projectId), `${preview.url}/cb`)).toBe(false);
    const app = await appOf(preview.projectId, { environments: ['preview'] });
    expect(await isAnswered(app, `${preview.url}/cb`)).toBe(true);
  });

  test('never a build of a fork', async () => {
    const fork = await deploy('preview', { fork: true });
    const app = await appOf(fork.projectId, { environments: ['preview', 'production'] });
    expect(await isAnswered(app, `${fork.url}/cb`)).toBe(false);
  });

  test('another project is no callback, nor may another team’s be selected', async () => {
    const [mine, other] = [await deploy(), await deploy()];
    expect(await isAnswered(await appOf(mine.projectId), `${other.url}/cb`)).toBe(false);
    const slug = `team-${Math.random().toString(36).slice(2, 10)}`;
    const team = await place.world.call('teams.create', { body: { slug, name: slug } });
    const foreign = await place.world.call('projects.create', {
      query: { teamId: team.id },
      body: { name: 'foreign' },
    });
    await expect(appOf(foreign.id)).rejects.toMatchObject({ problem: { code: 'invalid_app' } });
    const strange = appOf(mine.projectId, { environments: ['staging'] });
    await expect(strange).rejects.toMatchObject({ problem: { code: 'invalid_app' } });
  });

  test('it is looked at again when the code is redeemed', async () => {
    const { projectId, deploymentId, url } = await deploy();
    const app = await appOf(projectId);
    const redirectUri = `${url}/cb`;
    const request = at(app, redirectUri);
    const answer = await passSignInPages(place.world.admin.visitor, request.url, place.world.admin);
    await place.world.call('deployments.delete', { params: { id: deploymentId }, query: query() });
    const form = {
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: request.codeVerifier,
    };
    const answered = await sendForm(`${place.tessera.urls.api}/login/oauth/token`, form, basic(app));
    expect(answered.json()).toMatchObject({ error: 'invalid_grant' });
    expect(await isAnswered(app, redirectUri)).toBe(false);
  });

  test('consent is remembered for the one host', async () => {
    const first = await deploy();
    const again = await place.world.call('deployments.create', {
      query: query(),
      body: { projectId: first.projectId, environment: 'production', upstream },
    });
    const app = await appOf(first.projectId);
    const { admin } = place.world;
    const silent = async (redirectUri: string) => {
      const answer = await admin.visitor.open(at(app, redirectUri, { prompt: 'none' }).url);
      return answer.location().searchParams;
    };
    await passSignInPages(admin.visitor, at(app, `${first.url}/cb`).url, admin);
    expect((await silent(`${first.url}/cb`)).get('code')).not.toBeNull();
    expect((await silent(`${again.url.replace(/\/$/, '')}/cb`)).get('error')).toBe('consent_required');
  });

  test('a pushed request may name it too', async () => {
    const { projectId, url } = await deploy();
    const app = await appOf(projectId);
    const push = (redirectUri: string) =>
      sendForm(
        `${place.tessera.urls.api}/login/oauth/par`,
        Object.fromEntries(at(app, redirectUri).url.searchParams),
        basic(app),
      );
    expect((await push(`${url}/cb`)).status).toBe(201);
    expect((await push(`${url}/else`)).json()).toMatchObject({ error: 'invalid_request' });
  });

  test('nobody is sent to a host that answers nowhere', async () => {
    const { projectId } = await deploy();
    const app = await appOf(projectId);
    const { url } = at(app, 'http://nothing.localhost:1/cb');
    expect((await send(url)).status).toBe(400);
  });
});
