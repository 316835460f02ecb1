import { createApiToken, setUpPerson } from '../../tests/harness/front-door.ts';
import { send } from '../../tests/harness/send.ts';
import type { BaseUrls } from '../../tests/harness/tessera-environment.ts';
import { createClient } from '../../packages/contract/src/index.ts';
import type { Figure } from '../figure.ts';
import { startNodeHttp } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { startSetUp } from '../tessera.ts';

/**
 * A request through the gateway to a deployment that is given its workload token, against the same where tokens are
 * switched off: one process, one upstream, two projects.
 */
export const mint: Figure = async (say) => {
  const upstream = await startNodeHttp();
  const { urls, server, made } = await startSetUp(say, (base, link) => deployTwo(base, link, upstream.url));
  const sideOf = (name: string, host: string) => ({
    name,
    server,
    request: { url: urls.origin, method: 'GET' as const, headers: { host } },
  });
  try {
    return await compareSides(
      'mint',
      sideOf('gateway with the workload token', made.withToken),
      [{ ...sideOf('gateway without it', made.withoutToken), atLeast: 0.97 }],
      say,
    );
  } finally {
    await upstream.server.stop();
  }
};

async function deployTwo(urls: BaseUrls, setUpLink: string, upstreamUrl: string) {
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
  const deploy = async (name: string, enabled: boolean): Promise<string> => {
    const project = await call('projects.create', { query, body: { name } });
    await call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: { oidcTokenConfig: { enabled } },
    });
    const { url } = await call('deployments.create', {
      query,
      body: {
        projectId: project.id,
        environment: 'production',
        upstream: upstreamUrl.replace('localhost', '127.0.0.1'),
      },
    });
    const { status, text } = await send(url);
    if (status !== 200) throw new Error(`${url} answered ${status}: ${text}`);
    return new URL(url).host;
  };
  return { withToken: await deploy('with', true), withoutToken: await deploy('without', false) };
}
