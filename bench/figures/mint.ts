import { send } from '../../tests/harness/send.ts';
import type { BaseUrls } from '../../tests/harness/tessera-environment.ts';
import type { Figure } from '../figure.ts';
import { createDeploy } from '../open-deployment.ts';
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
  const deploy = await createDeploy(urls, setUpLink);
  const deployAndAsk = async (name: string, hasTokens: boolean): Promise<string> => {
    const { url, host } = await deploy(name, upstreamUrl.replace('localhost', '127.0.0.1'), hasTokens);
    const { status, text } = await send(url);
    if (status !== 200) throw new Error(`${url} answered ${status}: ${text}`);
    return host;
  };
  return {
    withToken: await deployAndAsk('with', true),
    withoutToken: await deployAndAsk('without', false),
  };
}
