import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

type Asked = { redirectUri: string; nonce: string; challenge: string; sub: string };

/** An authorization request, as a provider reads it. */
export type AuthorizationRequest = Record<
  'client_id' | 'redirect_uri' | 'state' | 'nonce' | 'code_challenge',
  string
>;

export type SilentProvider = {
  issuer: string;
  /** What a connector to it is made of. */
  registration: { issuer: string; clientId: string; clientSecret: string };
  /** What is registered here. Nothing else is redirected to. */
  redirectUris: string[];
  /** Opened by a browser, it is logged in here from then on. */
  logInUrl(sub: string): string;
  /** The codes that came to the token endpoint, good or not. */
  receivedCodes: string[];
  /** Sends browsers elsewhere instead of signing them in, as a provider that attacks does. */
  lead(elsewhere: ((request: AuthorizationRequest) => string) | undefined): void;
  close(): Promise<void>;
};

/**
 * An OpenID provider that does all it must (exact redirect URIs, PKCE, nonce, codes for once) and does not name itself
 * in its answers: it is older than RFC 9207.
 */
export async function startSilentProvider(): Promise<SilentProvider> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  const [clientId, clientSecret] = ['tessera', 'a secret of one provider'];
  const codes = new Map<string, Asked>();
  const redirectUris: string[] = [];
  const receivedCodes: string[] = [];
  let elsewhere: ((request: AuthorizationRequest) => string) | undefined;

  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', issuer);
    const send = (body: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return void send({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
          token_endpoint_auth_methods_supported: ['client_secret_post'],
          code_challenge_methods_supported: ['S256'],
        });
      case '/jwks':
        return void send({ keys: [jwk] });
      case '/log-in':
        response.writeHead(200, {
          'set-cookie': `sub_${new URL(issuer).port}=${url.searchParams.get('sub')}`,
        });
        return void response.end('logged in');
      case '/authorize':
        return authorize(url, request, response);
      case '/token':
        return redeem(new URLSearchParams(await text(request)), send);
      default:
        return void send({}, 404);
    }
  }

  function authorize(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const asked = Object.fromEntries(url.searchParams) as AuthorizationRequest;
    if (elsewhere !== undefined) return void response.writeHead(302, { location: elsewhere(asked) }).end();
    const sub = new RegExp(`sub_${new URL(issuer).port}=(\\w+)`).exec(request.headers.cookie ?? '')?.[1];
    if (asked.client_id !== clientId || !redirectUris.includes(asked.redirect_uri) || sub === undefined) {
      return void response.writeHead(400).end(`redirect URI not registered, or nobody logged in`);
    }
    const code = randomBytes(16).toString('base64url');
    codes.set(code, {
      redirectUri: asked.redirect_uri,
      nonce: asked.nonce,
      challenge: asked.code_challenge,
      sub,
    });
    const back = new URL(asked.redirect_uri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.state);
    response.writeHead(302, { location: back.href }).end();
  }

  async function redeem(
    form: URLSearchParams,
    send: (body: unknown, status?: number) => unknown,
  ): Promise<void> {
    const code = form.get('code') ?? '';
    receivedCodes.push(code);
    const asked = codes.get(code);
    codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret) {
      return void send({ error: 'invalid_client' }, 401);
    }
    if (asked?.redirectUri !== form.get('redirect_uri') || asked?.challenge !== challenge) {
      return void send({ error: 'invalid_grant' }, 400);
    }
    const idToken = await new SignJWT({ nonce: asked.nonce })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
      .setIssuer(issuer)
      .setAudience(clientId)
      .setSubject(asked.sub)
      .setIssuedAt()
      .setExpirationTime('5 minutes')
      .sign(privateKey);
    send({ access_token: 'an-access-token', token_type: 'Bearer', expires_in: 60, id_token: idToken });
  }

  return {
    issuer,
    registration: { issuer, clientId, clientSecret },
    redirectUris,
    receivedCodes,
    logInUrl: (sub) => `${issuer}/log-in?sub=${sub}`,
    lead(next) {
      elsewhere = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
