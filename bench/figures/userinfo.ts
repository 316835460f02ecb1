import { userinfoRequest } from '../client.ts';
import type { Figure } from '../figure.ts';
import { startNodeHttp, startOidcProvider } from '../others.ts';
import { compareSides } from '../rounds.ts';
import { createSignIn, startWorld } from '../sign-in.ts';

const scope = 'openid profile email';

/** Tells the claims of a person by an access token. */
export const userinfo: Figure = async (say) => {
  const [ours, theirs, bare] = [await startWorld(say), await startOidcProvider(), await startNodeHttp()];
  const { access_token: ourToken = '' } = await (await createSignIn(ours.urls, ours.world, scope)).signIn();
  const { accessToken: theirToken } = await theirs.signIn(scope);
  const request = userinfoRequest(`${ours.urls.api}/login/oauth/userinfo`, ourToken);
  return compareSides(
    'userinfo',
    { name: 'tessera, SQLite', server: ours.server, request },
    [
      {
        name: 'oidc-provider, memory',
        server: theirs.server,
        request: userinfoRequest(`${theirs.url}/me`, theirToken),
        atLeast: 1.8,
      },
      { name: 'bare node:http', server: bare.server, request: { ...request, url: bare.url }, atLeast: 0.35 },
    ],
    say,
  );
};
