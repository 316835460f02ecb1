import { getAccessToken, introspectionRequest } from '../client.ts';
import type { Figure } from '../figure.ts';
import { startNodeHttp, startOidcProvider } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { startTessera } from '../tessera.ts';

/** Introspects an access token, the client authenticated at each request. */
export const introspection: Figure = async (say) => {
  const [ours, theirs, bare] = [await startTessera(say), await startOidcProvider(), await startNodeHttp()];
  const ourToken = await getAccessToken(`${ours.api}/login/oauth/token`, ours.client);
  const theirToken = await getAccessToken(`${theirs.url}/token`, theirs.client);
  const ourRequest = introspectionRequest(`${ours.api}/login/oauth/token/introspect`, ours.client, ourToken);
  return compareSides(
    'introspection',
    { name: 'tessera, SQLite', server: ours.server, request: ourRequest },
    [
      {
        name: 'oidc-provider, memory',
        server: theirs.server,
        request: introspectionRequest(`${theirs.url}/token/introspection`, theirs.client, theirToken),
        atLeast: 1.8,
      },
      {
        name: 'bare node:http',
        server: bare.server,
        request: { ...ourRequest, url: bare.url },
        atLeast: 0.35,
      },
    ],
    say,
  );
};
