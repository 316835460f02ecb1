import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { expect } from 'vitest';
import { send, type Answer } from '../harness/send.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { codeOf, type Authorization, type Metadata, type Suite, type Tokens } from './suite.ts';

/** A key as a client has one: for its assertions or for its proofs. */
export type ClientKey = { algorithm: string; privateKey: CryptoKey; publicJwk: JWK; thumbprint: string };

/** A client of the profile: private_key_jwt, and a key that its tokens are bound to. */
export type FapiClient = { clientId: string; redirectUri: string; key: ClientKey; proofKey: ClientKey };

/** What a test changes in a proof: claims and header members, `undefined` takes one out. */
export type ProofChanges = {
  key?: ClientKey;
  claims?: Readonly<Record<string, unknown>>;
  header?: Readonly<Record<string, unknown>>;
};
export type AssertionChanges = {
  key?: ClientKey;
  algorithm?: string;
  claims?: Readonly<Record<string, unknown>>;
};
type Fields = Readonly<Record<string, string | undefined>>;
/** How a form is sent: as which client, with which proof (`false`: none), by which assertion (`false`: none). */
export type Sending = {
  client?: FapiClient;
  proof?: ProofChanges | false;
  assertion?: AssertionChanges | false;
};
export type Pushed = { requestUri: string; state: string; nonce: string; codeVerifier: string };
export type FapiMetadata = Metadata & { pushed_authorization_request_endpoint: string };

export type Fapi = Awaited<ReturnType<typeof createFapi>>;

/** Registers the test of one module, named without the beginning that all of the plan have. */
export type DefineFapiModule = (name: string, run: (fapi: Fapi) => Promise<void>) => void;

export async function createKey(
  algorithm: 'ES256' | 'PS256' | 'EdDSA' | 'RS256' = 'ES256',
): Promise<ClientKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  return { algorithm, privateKey, publicJwk, thumbprint: await calculateJwkThumbprint(publicJwk) };
}

/** The clients of the Security Profile plan, and how they speak. */
export async function createFapi(suite: Suite) {
  const metadata = suite.metadata as FapiMetadata;
  const first = await register(suite, 'FAPI first', 'PS256');
  const second = await register(suite, 'FAPI second', 'ES256');
  const now = (): number => Math.floor((Date.now() + suite.aheadMilliseconds) / 1000);

  async function createAssertion(
    client: FapiClient,
    { key = client.key, algorithm, claims = {} }: AssertionChanges = {},
  ): Promise<string> {
    const payload = {
      iss: client.clientId,
      sub: client.clientId,
      aud: metadata.issuer,
      jti: randomUUID(),
      iat: now(),
      nbf: now(),
      exp: now() + 60,
      ...claims,
    };
    return new SignJWT(withoutUndefined(payload))
      .setProtectedHeader({ alg: algorithm ?? key.algorithm, typ: 'JWT' })
      .sign(key.privateKey);
  }

  async function createProof(
    client: FapiClient,
    method: string,
    url: string,
    { key = client.proofKey, claims = {}, header = {} }: ProofChanges & { accessToken?: string } = {},
  ): Promise<string> {
    const payload = { jti: randomUUID(), htm: method, htu: url, iat: now(), ...claims };
    const protectedHeader = { typ: 'dpop+jwt', alg: key.algorithm, jwk: key.publicJwk, ...header };
    return new SignJWT(withoutUndefined(payload))
      .setProtectedHeader(withoutUndefined(protectedHeader) as { alg: string })
      .sign(key.privateKey);
  }

  async function post(url: string, fields: Fields, sending: Sending): Promise<Answer> {
    const { client = first, proof, assertion } = sending;
    const authenticated = {
      ...(assertion === false
        ? {}
        : {
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: await createAssertion(client, assertion),
          }),
      ...fields,
    };
    return send(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(proof === false ? {} : { dpop: await createProof(client, 'POST', url, proof) }),
      },
      body: new URLSearchParams(withoutUndefined(authenticated) as Record<string, string>).toString(),
    });
  }

  const fapi = {
    suite,
    metadata,
    first,
    second,
    now,
    createProof,

    /** At the pushed authorization request endpoint, with all that the profile asks for; `more` replaces some. */
    async push(more: Fields = {}, sending: Sending = {}): Promise<{ answer: Answer } & Pushed> {
      const { client = first } = sending;
      const { state, nonce, parameters } = suite.request({}, { ...client, clientSecret: '' });
      const codeVerifier = randomBytes(32).toString('base64url');
      const fields = {
        ...Object.fromEntries(parameters),
        code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...more,
      };
      // A proof is free at this endpoint: the modules that bind the code here send one.
      const answer = await post(metadata.pushed_authorization_request_endpoint, fields, {
        proof: false,
        ...sending,
      });
      const { request_uri: requestUri = '' } =
        answer.status === 201 ? (answer.json() as { request_uri: string }) : {};
      return {
        answer,
        requestUri,
        state: more['state'] ?? state,
        nonce: more['nonce'] ?? nonce,
        codeVerifier,
      };
    },

    /** Takes a person from a pushed request to the client, or to a page of the server. */
    async open(
      { requestUri, state, nonce }: Pick<Pushed, 'requestUri' | 'state' | 'nonce'>,
      more: Fields = {},
      visitor: Visitor = suite.loggedIn,
      client: FapiClient = first,
    ): Promise<Authorization> {
      const url = fapi.authorizationUrl(requestUri, more, client);
      const { redirectUri } = client;
      return suite.passPages(await visitor.open(url), { state, nonce, visitor, redirectUri });
    },

    authorizationUrl(requestUri: string, more: Fields = {}, client: FapiClient = first): URL {
      const url = new URL(metadata.authorization_endpoint);
      const parameters = { client_id: client.clientId, request_uri: requestUri, ...more };
      url.search = new URLSearchParams(withoutUndefined(parameters) as Record<string, string>).toString();
      return url;
    },

    /** From a request to a code. */
    async authorize(more: Fields = {}, sending: Sending = {}, visitor: Visitor = suite.loggedIn) {
      const pushed = await fapi.push(more, sending);
      expect(pushed.answer.status, pushed.answer.text).toBe(201);
      const outcome = await fapi.open(pushed, {}, visitor, sending.client);
      return { ...pushed, outcome, code: codeOf(suite, outcome) };
    },

    redeem: (
      { code, codeVerifier }: { code: string; codeVerifier: string },
      sending: Sending = {},
      more: Fields = {},
    ): Promise<Answer> =>
      post(
        metadata.token_endpoint,
        {
          grant_type: 'authorization_code',
          code,
          redirect_uri: (sending.client ?? first).redirectUri,
          code_verifier: codeVerifier,
          ...more,
        },
        sending,
      ),

    refresh: (refreshToken: string, sending: Sending = {}): Promise<Answer> =>
      post(metadata.token_endpoint, { grant_type: 'refresh_token', refresh_token: refreshToken }, sending),

    /** The whole flow, checked at each step: the tokens and the claims of the ID token. */
    async signIn(more: Fields = {}, sending: Sending = {}, visitor: Visitor = suite.loggedIn) {
      const { client = first } = sending;
      const issued = await fapi.authorize(more, { ...sending, proof: false }, visitor);
      const answer = await fapi.redeem(issued, sending);
      expect(answer.status, answer.text).toBe(200);
      const tokens = answer.json() as Tokens;
      expect(tokens.token_type.toLowerCase()).toBe('dpop');
      const claims = await suite.verifyIdToken(tokens.id_token, client);
      return { ...issued, tokens, claims };
    },

    /** Userinfo, as the protected resource of the plan. */
    async userinfo(
      accessToken: string,
      {
        client = first,
        scheme = 'DPoP',
        proof = {},
        rewrite = (one) => [one],
        method = 'GET',
      }: {
        client?: FapiClient;
        scheme?: string;
        proof?: ProofChanges | false;
        rewrite?: (proof: string) => string[];
        method?: 'GET' | 'POST';
      } = {},
    ): Promise<Answer> {
      const url = metadata.userinfo_endpoint;
      const ath = createHash('sha256').update(accessToken).digest('base64url');
      const changes = proof === false ? {} : proof;
      const made = await createProof(client, method, url, { ...changes, claims: { ath, ...changes.claims } });
      const proofs = proof === false ? [] : rewrite(made);
      return send(url, {
        method,
        headers: ['Authorization', `${scheme} ${accessToken}`, ...proofs.flatMap((one) => ['DPoP', one])],
      });
    },

    browser: (): Visitor => createVisitor(),
  };
  return fapi;
}

async function register(
  { world }: Pick<Suite, 'world'>,
  name: string,
  algorithm: 'PS256' | 'ES256',
): Promise<FapiClient> {
  const key = await createKey(algorithm);
  const redirectUri = `https://${name.toLowerCase().replaceAll(' ', '-')}.client.example/callback`;
  const { id } = await world.call('apps.create', {
    query: { teamId: world.team.id },
    body: {
      name,
      redirectUris: [redirectUri],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      tokenEndpointAuthMethods: ['private_key_jwt'],
      tokenEndpointAuthSigningAlg: algorithm,
      jwks: { keys: [{ ...key.publicJwk, alg: algorithm, use: 'sig' }] },
      idTokenSignedResponseAlg: 'PS256',
      requirePushedAuthorizationRequests: true,
      dpopBoundAccessTokens: true,
      // FAPI 2.0, 5.3.2.1: refresh tokens that are bound to a key do not rotate.
      rotateRefreshTokens: false,
      securityProfile: 'fapi2',
      signInAccess: 'anyone',
    },
  });
  return { clientId: id, redirectUri, key, proofKey: await createKey('ES256') };
}

function withoutUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

export function errorOf(answer: Answer): string {
  return (answer.json() as { error: string }).error;
}
