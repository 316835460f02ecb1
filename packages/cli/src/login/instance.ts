import { CommandError, show } from '../errors.ts';
import { ask } from './ask.ts';

/** The base URLs of an instance that tokens are sent to. */
export type Instance = { origin: string; api: string; oidc?: string };

export type Metadata = Instance & {
  authorizationEndpoint: string;
  tokenEndpoint: string;
  deviceAuthorizationEndpoint: string;
  revocationEndpoint: string;
};

const paths = {
  token: '/login/oauth/token',
  device: '/login/oauth/device-authorization',
  revocation: '/login/oauth/token/revoke',
} as const;

/**
 * What an origin says of itself. The base URL of the API is read from the token endpoint: whoever gets the code and
 * the refresh token anyway is the one that gets the access token, and no other host can be named beside it.
 */
export async function discover(origin: string): Promise<Metadata> {
  const address = `${origin}/.well-known/openid-configuration`;
  const { status, answer } = await ask(address);
  const refuse = (detail: string): CommandError =>
    new CommandError(
      'not_an_instance',
      `${address} ${detail}.`,
      'Give the address of the instance, as its administrators set it (TESSERA_ORIGIN_URL).',
    );
  if (status !== 200) throw refuse(`answered ${status}; expected 200 and the metadata of an instance`);
  // OpenID Connect Discovery 4.3: a document that names another issuer is not this one's.
  if (answer['issuer'] !== origin) {
    throw refuse(`names the issuer ${show(answer['issuer'])}; expected ${show(origin)}`);
  }
  const endpointOf = (name: string): string => {
    const given = answer[name];
    const parsed = parseBaseUrl(typeof given === 'string' ? given : '');
    if ('problem' in parsed) throw refuse(`names the ${name} ${show(given)}, which ${parsed.problem}`);
    return parsed.url;
  };
  const tokenEndpoint = endpointOf('token_endpoint');
  if (!tokenEndpoint.endsWith(paths.token)) {
    throw refuse(`names the token_endpoint ${show(tokenEndpoint)}; expected one that ends in ${paths.token}`);
  }
  const api = tokenEndpoint.slice(0, -paths.token.length);
  const sameApi = (name: string, path: string): string => {
    const endpoint = endpointOf(name);
    if (endpoint !== `${api}${path}`) {
      throw refuse(`names the ${name} ${show(endpoint)}; expected it beside the token endpoint, at ${api}`);
    }
    return endpoint;
  };
  const authorizationEndpoint = endpointOf('authorization_endpoint');
  if (new URL(authorizationEndpoint).origin !== new URL(origin).origin) {
    throw refuse(
      `names the authorization_endpoint ${show(authorizationEndpoint)}; expected it at the origin`,
    );
  }
  const oidc = await findWorkloadIssuer(answer, endpointOf, refuse);
  return {
    origin,
    api,
    ...(oidc === undefined ? {} : { oidc }),
    authorizationEndpoint,
    tokenEndpoint,
    deviceAuthorizationEndpoint: sameApi('device_authorization_endpoint', paths.device),
    revocationEndpoint: sameApi('revocation_endpoint', paths.revocation),
  };
}

/** Where workload tokens are exchanged: it says of itself that it is that issuer. An instance may not name one. */
async function findWorkloadIssuer(
  said: Record<string, unknown>,
  endpointOf: (name: string) => string,
  refuse: (detail: string) => CommandError,
): Promise<string | undefined> {
  if (said['workload_token_issuer'] === undefined) return undefined;
  const issuer = endpointOf('workload_token_issuer');
  const { status, answer } = await ask(`${issuer}/.well-known/openid-configuration`);
  if (status === 200 && answer['issuer'] === issuer) return issuer;
  throw refuse(
    `names the workload_token_issuer ${show(issuer)}, which does not say so of itself (${status})`,
  );
}

/** A base URL that tokens may travel to, without a trailing slash, or what is wrong with it. */
export function parseBaseUrl(text: string): { url: string } | { problem: string } {
  const url = URL.parse(text);
  if (url === null) return { problem: 'is not a URL' };
  if (url.username !== '' || url.password !== '') return { problem: 'has a user name or password in it' };
  if (/[?#]/.test(text)) return { problem: 'has a query or fragment' };
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    return { problem: 'does not begin with https://' };
  }
  return { url: text.replace(/\/+$/, '') };
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}
