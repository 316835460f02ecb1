import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import { Events, OAuth2Server, type MutableRedirectUri, type MutableResponse } from 'oauth2-mock-server';

/** What the provider does wrong. An absent member is done right. */
export type Fault = {
  /** Changes the claims of the ID token before it is signed. */
  claims?: (claims: JWTPayload) => JWTPayload;
  /** How the ID token is signed instead: by a key nobody published, by the public key as a secret, or not at all. */
  signature?: 'other-key' | 'hmac-with-public-key' | 'none';
  /** Changes the answer that the browser carries back. */
  redirect?: (url: URL) => void;
  /** Changes what userinfo says. */
  userinfo?: (body: Record<string, unknown>) => void;
};

export type FaultyProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** From now on. */
  misbehave(fault: Fault): void;
  close(): Promise<void>;
};

/** An identity provider that signs everybody in without asking, and lies as a test tells it to. */
export async function startFaultyProvider(): Promise<FaultyProvider> {
  const server = new OAuth2Server();
  const key = await server.issuer.keys.generate('RS256');
  await server.start(0, 'localhost');
  const issuer = server.issuer.url ?? '';
  const clientId = 'tessera';
  const published = createPrivateKey({ key, format: 'jwk' });
  const { privateKey: unpublished } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  let fault: Fault = {};

  server.service.on(Events.BeforeWellKnownOpenIdConfiguration, (response: MutableResponse) => {
    Object.assign(response.body, {
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
      authorization_response_iss_parameter_supported: true,
    });
  });
  server.service.on(Events.BeforeAuthorizeRedirect, ({ url }: MutableRedirectUri) => {
    url.searchParams.set('iss', issuer);
    fault.redirect?.(url);
  });
  server.service.on(Events.BeforeUserinfo, (response: MutableResponse) => {
    if (response.body === '') return;
    Object.assign(response.body, {
      sub: 'johndoe',
      email: 'john@corp.example',
      email_verified: true,
      name: 'John Doe',
    });
    fault.userinfo?.(response.body);
  });
  server.service.on(Events.BeforeResponse, (response: MutableResponse) => {
    if (response.body === '' || typeof response.body['id_token'] !== 'string') return;
    const accessToken = String(response.body['access_token']);
    const right: JWTPayload = {
      ...decodeJwt(response.body['id_token']),
      aud: clientId,
      at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
    };
    response.body['id_token'] = signWith(fault.signature, fault.claims?.(right) ?? right, key.kid, {
      published,
      unpublished,
    });
  });

  return {
    issuer,
    clientId,
    clientSecret: 'a secret that this provider never looks at',
    misbehave(next) {
      fault = next;
    },
    close: () => server.stop(),
  };
}

function signWith(
  signature: Fault['signature'],
  claims: JWTPayload,
  kid: string,
  keys: { published: KeyObject; unpublished: KeyObject },
): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const alg = signature === 'none' ? 'none' : signature === 'hmac-with-public-key' ? 'HS256' : 'RS256';
  const input = `${encode({ alg, kid, typ: 'JWT' })}.${encode(claims)}`;
  switch (signature) {
    case 'none':
      return `${input}.`;
    case 'hmac-with-public-key': {
      const secret = createPublicKey(keys.published).export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    }
    case 'other-key':
      return `${input}.${sign('sha256', Buffer.from(input), keys.unpublished).toString('base64url')}`;
    case undefined:
      return `${input}.${sign('sha256', Buffer.from(input), keys.published).toString('base64url')}`;
  }
}
