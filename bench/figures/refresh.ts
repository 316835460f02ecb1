import { tokenRequest } from '../client.ts';
import type { Figure } from '../figure.ts';
import { startOidcProvider } from '../others.ts';
import { askAnew, compareSides, connections } from '../rounds.ts';
import { createSignIn, startWorld } from '../sign-in.ts';

// Without `openid`: no ID token is signed on either side, so that the rotation is what is measured.
const scope = 'profile offline_access';

/**
 * Rotates refresh tokens durably, a family for each connection, against `oidc-provider`, which keeps them in memory.
 * Each round begins with families of its own.
 */
export const refresh: Figure = async (say) => {
  const [ours, theirs] = [await startWorld(say), await startOidcProvider()];
  const { client, signIn } = await createSignIn(ours.urls, ours.world, scope);
  const ofEach = <Each>(make: () => Promise<Each>) => Promise.all(Array.from({ length: connections }, make));
  return compareSides(
    'refresh',
    {
      name: 'tessera, SQLite, on the disk',
      server: ours.server,
      measure: askAnew(async () => ({
        ...tokenRequest(`${ours.urls.api}/login/oauth/token`, client),
        refreshTokens: await ofEach(async () => (await signIn()).refresh_token ?? ''),
      })),
    },
    [
      {
        name: 'oidc-provider, memory',
        server: theirs.server,
        measure: askAnew(async () => ({
          ...tokenRequest(`${theirs.url}/token`, theirs.client),
          refreshTokens: await ofEach(async () => (await theirs.signIn(scope)).refreshToken),
        })),
        atLeast: 1,
      },
    ],
    say,
  );
};
