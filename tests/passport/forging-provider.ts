import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';

/** What a test makes the provider do. Every member may be replaced at any time. */
export type Forgery = {
  /** The discovery document, before it is sent. */
  discovery: (document: Record<string, unknown>) => unknown;
  discoveryStatus: number;
  /** The provider's clock, as its answers tell it. */
  date: Date | undefined;
  keys: (keys: JWK[]) => unknown;
  /** The claims of the ID token. */
  claims: (claims: Record<string, unknown>) => Record<string, unknown>;
  /** Makes the ID token from the claims; undefined sends none. */
  sign: (claims: Record<string, unknown>) => Promise<string | undefined>;
  token: (body: Record<string, unknown>) => { status: number; body: unknown };
  userinfo: (body: Record<string, unknown>) => { status: number; body: unknown; type?: string };
};

export type ForgingProvider = {
  issuer: string;
  key: CryptoKey;
  jwk: JWK;
  forge: Forgery;
  /** Forms that the token endpoint got, with the Authorization header as `authorization`. */
  tokenRequests: URLSearchParams[];
  /** The nonce that the next ID token carries, as the authorization request asked for it. */
  remember(authorizationUrl: string): { state: string; code: string };
  close(): Promise<void>;
};

/** A provider made of jose and a real HTTP server that does everything right until a test says otherwise. */
export async function startForgingProvider(): Promise<ForgingProvider> {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(pair.publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  let nonce = '';
  const tokenRequests: URLSearchParams[] = [];
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;

  const forge: Forgery = {
    discovery: (document) => document,
    discoveryStatus: 200,
    date: undefined,
    keys: (keys) => ({ keys }),
    claims: (claims) => claims,
    sign: (claims) => signWith(pair.privateKey, { alg: 'ES256', kid: 'key-1' }, claims),
    token: (body) => ({ status: 200, body }),
    userinfo: (body) => ({ status: 200, body }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (body: unknown, status = 200, type = 'application/json') =>
      response
        .writeHead(status, {
          'content-type': type,
          ...(forge.date ? { date: forge.date.toUTCString() } : {}),
        })
        .end(typeof body === 'string' ? body : JSON.stringify(body));
    switch (request.url) {
      case '/.well-known/openid-configuration':
        send(
          forge.discovery({
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            jwks_uri: `${issuer}/jwks`,
            userinfo_endpoint: `${issuer}/userinfo`,
            id_token_signing_alg_values_supported: ['ES256'],
            token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
            authorization_response_iss_parameter_supported: true,
          }),
          forge.discoveryStatus,
        );
        return;
      case '/jwks':
        send(forge.keys([jwk]));
        return;
      case '/token': {
        const form = new URLSearchParams(await text(request));
        form.set('authorization', request.headers.authorization ?? '');
        tokenRequests.push(form);
        const now = Math.floor(Date.now() / 1000);
        const accessToken = 'an-access-token';
        const claims = forge.claims({
          iss: issuer,
          sub: 'visitor|1',
          aud: 'client-1',
          iat: now,
          exp: now + 600,
          nonce,
          at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
          email: 'from-id-token@corp.example',
        });
        const idToken = await forge.sign(claims);
        const { status, body } = forge.token({
          access_token: accessToken,
          token_type: 'Bearer',
          expires_in: 60,
          ...(idToken === undefined ? {} : { id_token: idToken }),
        });
        send(body, status);
        return;
      }
      case '/userinfo': {
        const { status, body, type } = forge.userinfo({
          sub: 'visitor|1',
          email: 'visitor@corp.example',
          email_verified: true,
          name: 'A Visitor',
          groups: ['staff'],
          salary: 1,
        });
        send(body, status, type);
        return;
      }
      case undefined:
      default:
        send({}, 404);
    }
  }

  return {
    issuer,
    key: pair.privateKey,
    jwk,
    forge,
    tokenRequests,
    remember(authorizationUrl) {
      const { searchParams } = new URL(authorizationUrl);
      nonce = searchParams.get('nonce') ?? '';
      return { state: searchParams.get('state') ?? '', code: 'a-code' };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function signWith(
  key: CryptoKey | Uint8Array,
  header: { alg: string; kid?: string },
  claims: object,
): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader(header)
    .sign(key);
}
