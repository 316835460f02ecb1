import { createServer, type IncomingMessage } from 'node:http';
import { createRemoteJWKSet, decodeJwt, jwtVerify, type JWTPayload } from 'jose';
import { listen, type Running } from '../../../examples/listen.ts';

/** Which workload tokens one identity of a cloud is given for. */
export type Trusted = { issuer: string; audience: string; subject: string };

export type TokenService = Running & {
  /** Claims of the tokens that were taken, and why the others were not. */
  taken: JWTPayload[];
  refused: string[];
  /** How long what it gives is good for; clients ask again when that is nearly over. */
  lifetimeSeconds: number;
};

/** The document and the keys are fetched each time, as a cloud does that sees an issuer for the first time. */
async function verify(token: string, { issuer, audience, subject }: Trusted): Promise<JWTPayload> {
  // Nothing is fetched for an issuer that nobody registered.
  if (decodeJwt(token).iss !== issuer) throw new Error('the issuer is another');
  const discovery = await fetch(`${issuer}/.well-known/openid-configuration`, { redirect: 'error' });
  const document = (await discovery.json()) as { issuer: string; jwks_uri: string };
  if (document.issuer !== issuer) throw new Error('the discovery document is of another issuer');
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(document.jwks_uri)), {
    issuer,
    audience,
    algorithms: ['RS256'],
    requiredClaims: ['sub', 'aud', 'iat', 'exp'],
  });
  if (payload.sub !== subject) throw new Error(`the subject is ${payload.sub}`);
  if (Number(payload.exp) - Number(payload.iat) > 86_400) throw new Error('it lives for more than a day');
  return payload;
}

async function startTokenService(
  trusted: Trusted,
  /** The token in a form, or why there is none; and the answer for one that was taken. */
  service: {
    findToken(form: URLSearchParams, path: string): string;
    answer(lifetimeSeconds: number): object;
  },
): Promise<TokenService> {
  const state: Omit<TokenService, keyof Running> = { taken: [], refused: [], lifetimeSeconds: 3_600 };
  const running = await listen(
    createServer((request, response) => {
      const send = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      readForm(request)
        .then(async (form) => {
          state.taken.push(await verify(service.findToken(form, request.url ?? ''), trusted));
          send(200, service.answer(state.lifetimeSeconds));
        })
        .catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          state.refused.push(why);
          send(400, { error: 'invalid_grant', error_description: why });
        });
    }),
    0,
  );
  return Object.assign(state, running);
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function require(form: URLSearchParams, wanted: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(wanted)) {
    if (form.get(name) !== value) throw new Error(`${name} is ${form.get(name)}`);
  }
}

/** Google Cloud's security token service (RFC 8693), as its documentation says what it checks. */
export function startGoogleTokenService(trusted: Trusted): Promise<TokenService> {
  return startTokenService(trusted, {
    findToken(form) {
      require(form, {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience: trusted.audience,
      });
      return form.get('subject_token') ?? '';
    },
    answer: (expires_in) => ({
      access_token: 'ya29.google',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in,
    }),
  });
}

/** The token endpoint of one tenant of Microsoft Entra, for a federated credential of one app (RFC 7523). */
export function startEntra(tenant: string, client: string, trusted: Trusted): Promise<TokenService> {
  return startTokenService(trusted, {
    findToken(form, path) {
      if (!path.startsWith(`/${tenant}/oauth2/v2.0/token`)) throw new Error(`nothing is at ${path}`);
      require(form, {
        grant_type: 'client_credentials',
        client_id: client,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      });
      return form.get('client_assertion') ?? '';
    },
    answer: (expires_in) => ({ access_token: 'entra', token_type: 'Bearer', expires_in }),
  });
}
