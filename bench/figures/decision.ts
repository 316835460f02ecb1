import { prepareDecisions } from '../decisions.ts';
import type { Figure } from '../figure.ts';
import { startNodeHttp, startUpstream } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { startSetUp } from '../tessera.ts';
import { setUpVisit } from '../visit.ts';

/** A forward-auth decision about the request of a visitor who is signed in, against a server that decides nothing. */
export const decision: Figure = async (say) => {
  const [upstream, bare, decisions] = [
    await startUpstream(),
    await startNodeHttp(),
    await prepareDecisions(),
  ];
  try {
    const { server, made } = await startSetUp(
      say,
      (urls, link) => setUpVisit(urls, link, upstream.url),
      decisions.variables,
    );
    const request = decisions.requestAbout(made.host, { cookie: made.cookie });
    return await compareSides(
      'decision',
      { name: 'Tessera, session checked', server, request },
      [
        {
          name: 'bare node:http',
          server: bare.server,
          request: { ...request, url: bare.url },
          atLeast: 0.5,
        },
      ],
      say,
    );
  } finally {
    await upstream.server.stop();
  }
};
