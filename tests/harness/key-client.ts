import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { createHash, randomUUID } from 'node:crypto';
import type { Client } from '../../packages/contract/src/index.ts';

export type Key = { alg: string; privateKey: CryptoKey; publicJwk: JWK };

export async function createKey(alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, privateKey, publicJwk: await exportJWK(publicKey) };
}

/** Claims and header members that replace the right ones; undefined leaves one out. */
export type Changes = {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  key?: Key;
  /** Milliseconds that the server's clock is ahead of ours. */
  ahead?: number;
};

export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** The form fields of a client assertion (RFC 7523, 2.2). */
export async function assertionFields(
  client: { clientId: string; key: Key; issuer: string },
  { claims, header, key = client.key, ahead = 0 }: Changes = {},
): Promise<Record<string, string>> {
  const now = Math.floor((Date.now() + ahead) / 1000);
  const { clientId, issuer } = client;
  const all = { iss: clientId, sub: clientId, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() };
  const token = await sign(key, { ...all, ...claims }, { alg: key.alg, ...header });
  return { client_assertion_type: clientAssertionType, client_assertion: token };
}

/** A DPoP proof (RFC 9449, 4.2). */
export async function createProof(
  key: Key,
  request: { method?: string; url: string; accessToken?: string; nonce?: string },
  { claims, header, ahead = 0 }: Changes = {},
): Promise<string> {
  const { method = 'POST', url, accessToken, nonce } = request;
  const all = {
    htm: method,
    htu: url,
    iat: Math.floor((Date.now() + ahead) / 1000),
    jti: randomUUID(),
    nonce,
    ath: accessToken === undefined ? undefined : createHash('sha256').update(accessToken).digest('base64url'),
  };
  return sign(key, { ...all, ...claims }, { alg: key.alg, typ: 'dpop+jwt', jwk: key.publicJwk, ...header });
}

function sign(key: Key, claims: Record<string, unknown>, header: Record<string, unknown>): Promise<string> {
  return new SignJWT(withoutUndefined(claims))
    .setProtectedHeader(withoutUndefined(header) as { alg: string })
    .sign(key.privateKey);
}

function withoutUndefined(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

export type KeyClient = { clientId: string; redirectUri: string; key: Key; issuer: string };

/** An app that authenticates with `private_key_jwt`. */
export async function createKeyClient(
  call: Client,
  place: { teamId: string; issuer: string },
  more: Record<string, unknown> = {},
): Promise<KeyClient> {
  const key = await createKey();
  const redirectUri = 'http://localhost:9/callback';
  const body = {
    name: `Key client ${randomUUID()}`,
    redirectUris: [redirectUri],
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    tokenEndpointAuthMethods: ['private_key_jwt'],
    signInAccess: 'anyone',
    jwks: { keys: [{ ...key.publicJwk, alg: key.alg, use: 'sig' }] },
    ...more,
  };
  const { id } = await call('apps.create', { query: { teamId: place.teamId }, body: body as never });
  return { clientId: id, redirectUri, key, issuer: place.issuer };
}
