import { clientCredentialsRequest, getAccessToken } from '../client.ts';
import type { Figure } from '../figure.ts';
import { startOidcProvider } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { startTessera } from '../tessera.ts';

/** Issues an access token and stores it durably, against `oidc-provider`, which keeps it in memory. */
const onConnections =
  (bench: string, connections: number): Figure =>
  async (say) => {
    const [ours, theirs] = [await startTessera(say), await startOidcProvider()];
    const [ourEndpoint, theirEndpoint] = [`${ours.api}/login/oauth/token`, `${theirs.url}/token`];
    await getAccessToken(ourEndpoint, ours.client);
    await getAccessToken(theirEndpoint, theirs.client);
    return compareSides(
      bench,
      {
        name: `tessera, SQLite, on the disk, ${connections} connections`,
        server: ours.server,
        request: clientCredentialsRequest(ourEndpoint, ours.client),
      },
      [
        {
          name: 'oidc-provider, memory',
          server: theirs.server,
          request: clientCredentialsRequest(theirEndpoint, theirs.client),
          atLeast: 1.3,
        },
      ],
      say,
      connections,
    );
  };

/** A few busy services, as in the other figures. */
export const clientCredentials = onConnections('client-credentials', 32);
/** Many of them: more share a commit's wait for the disk, and more wait for it. */
export const clientCredentialsOfMany = onConnections('client-credentials-256', 256);
