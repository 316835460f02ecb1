import { createClient } from '../packages/contract/src/index.ts';
import { createApiToken, setUpPerson } from '../tests/harness/front-door.ts';
import type { BaseUrls } from '../tests/harness/tessera-environment.ts';

/** Makes a project with a deployment that asks nobody to sign in; `hasTokens`: whether it is given tokens of its own. */
export type Deploy = (
  name: string,
  upstream: string,
  hasTokens: boolean,
) => Promise<{ id: string; host: string; url: string }>;

/** Sets an instance up, with one team for all that is deployed. */
export async function createDeploy(urls: BaseUrls, setUpLink: string): Promise<Deploy> {
  const person = await setUpPerson(setUpLink, {
    email: 'bench@example.com',
    password: 'a password for one bench',
    name: 'Bench',
  });
  const call = createClient({
    baseUrl: urls.api,
    token: await createApiToken(urls.origin, person, { name: 'bench' }),
  });
  const { id: teamId } = await call('teams.create', { body: { slug: 'bench' } });
  const query = { teamId };
  return async (name, upstream, hasTokens) => {
    const project = await call('projects.create', { query, body: { name } });
    await call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: { oidcTokenConfig: { enabled: hasTokens } },
    });
    const { id, url } = await call('deployments.create', {
      query,
      body: { projectId: project.id, environment: 'production', upstream },
    });
    return { id, host: new URL(url).host, url };
  };
}

/** A deployment that asks nobody to sign in and has no token of its own: what is left is finding it, and the way. */
export async function setUpOpenDeployment(
  urls: BaseUrls,
  setUpLink: string,
  upstream: string,
): Promise<{ id: string; host: string }> {
  const deploy = await createDeploy(urls, setUpLink);
  return deploy('open', upstream, false);
}
