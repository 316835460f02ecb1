import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { listen } from '../../examples/listen.ts';

/** Claims as no honest issuer would have them: missing, or of another type. */
export type BentClaims = Readonly<Record<string, unknown>>;

export type SigningIssuer = {
  url: string;
  /** How often each path was asked for. */
  asked: Map<string, number>;
  /** Signs what it is told: also what no honest issuer would. */
  sign(
    payload: JWTPayload,
    header?: { alg?: string; typ?: string; kid?: string | undefined },
  ): Promise<string>;
  /** The public key, as a published one. */
  jwk: Record<string, unknown>;
  /** Answers a path in its own way instead. */
  answers: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  close(): Promise<void>;
};

/** An issuer whose tokens can be bent: one key for all of its paths, as the shared key set of an instance. */
export async function startSigningIssuer(alg: 'RS256' | 'ES256' = 'RS256'): Promise<SigningIssuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const jwk = { ...publicJwk, kid, alg, use: 'sig' };
  const asked = new Map<string, number>();
  const answers: SigningIssuer['answers'] = new Map();
  const running = await listen(
    createServer((request, response) => {
      const path = request.url ?? '';
      asked.set(path, (asked.get(path) ?? 0) + 1);
      const own = answers.get(path);
      if (own) {
        own(request, response);
        return;
      }
      const isKeySet = path.endsWith('/.well-known/jwks');
      response
        .writeHead(isKeySet ? 200 : 404, { 'content-type': 'application/json' })
        .end(isKeySet ? JSON.stringify({ keys: [jwk] }) : '{}');
    }),
    0,
  );
  return {
    ...running,
    asked,
    jwk,
    answers,
    sign: (payload, header = {}) =>
      new SignJWT(payload).setProtectedHeader({ alg, typ: 'JWT', kid, ...header } as never).sign(privateKey),
  };
}

/** The claims of a workload token of acme/shop in production, good for an hour. */
export function workloadClaims(issuer: string, more: BentClaims = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  const sub = 'owner:acme:project:shop:environment:production';
  return {
    iss: `${issuer}/acme`,
    aud: 'https://tessera.example/acme',
    sub,
    scope: sub,
    owner: 'acme',
    owner_id: 'team_acme',
    project: 'shop',
    project_id: 'prj_shop',
    environment: 'production',
    runtime: 'function',
    iat: now,
    nbf: now - 30,
    exp: now + 3_600,
    jti: 'jti_1',
    ...more,
  };
}

/** The claims of a visitor's token of acme/site in production. */
export function passportClaims(issuer: string, more: BentClaims = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  const sub = 'owner:acme:connector:scl_1:principal:staff%7Cgrace';
  return {
    iss: `${issuer}/acme`,
    aud: 'https://tessera.example/acme/site/production',
    typ: 'passport',
    sub,
    scope: sub,
    external_sub: 'staff|grace',
    external_iss: 'https://idp.example',
    connector_id: 'scl_1',
    owner: 'acme',
    owner_id: 'team_acme',
    project: 'site',
    project_id: 'prj_site',
    environment: 'production',
    sid: 'ses_1',
    email: 'grace@corp.example',
    email_verified: true,
    name: 'Grace Hopper',
    groups: ['staff'],
    iat: now,
    nbf: now - 30,
    exp: now + 300,
    jti: 'jti_1',
    ...more,
  };
}
