import { createServer, type ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';

// The comparison: `oidc-provider` with its own memory store and one client. The most common setting for a service
// that asks in its own name and has people sign in; nothing is switched on beyond what is asked of both sides.
const [port = '', clientId = '', clientSecret = ''] = process.argv.slice(2);
const accountId = 'usr_bench';
const scopes = 'openid profile email offline_access';
const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: ['http://localhost:9/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  claims: { profile: ['name', 'preferred_username', 'updated_at'], email: ['email', 'email_verified'] },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  findAccount: (_context, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      name: 'Ada Lovelace',
      preferred_username: 'ada',
      updated_at: 1_800_000_000,
      email: 'ada@acme.example',
      email_verified: true,
    }),
  }),
  // As ours does: by itself it would rotate those of apps with a secret only near their end.
  rotateRefreshToken: true,
  ttl: { ClientCredentials: 3_600, AccessToken: 3_600 },
});
const forward = provider.callback();

/** The tokens of a sign-in, without the pages. */
async function signIn(response: ServerResponse, scope: string): Promise<void> {
  const client = await provider.Client.find(clientId);
  if (client === undefined) throw new Error('the one client is not there');
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scopes);
  const grantId = await grant.save();
  const sign = { accountId, client, grantId, gty: 'authorization_code', scope };
  const accessToken = await new provider.AccessToken({ ...sign, claims: {} }).save();
  const refreshToken = await new provider.RefreshToken({ ...sign, rotations: 0 }).save();
  response.end(JSON.stringify({ accessToken, refreshToken }));
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', provider.issuer);
  if (url.pathname === '/bench/sign-in') void signIn(response, url.searchParams.get('scope') ?? scopes);
  else void forward(request, response);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
