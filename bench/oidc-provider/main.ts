import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

// The comparison: `oidc-provider` with its own memory store and one client. The most common setting for a service
// that asks in its own name; nothing is switched on beyond what is asked of both sides.
const [port = '', clientId = '', clientSecret = ''] = process.argv.slice(2);
const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  ttl: { ClientCredentials: 3_600 },
});
const forward = provider.callback();
const server = createServer((request, response) => {
  void forward(request, response);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
