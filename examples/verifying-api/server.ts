import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { listen, type Running } from '../listen.ts';

export type VerifyingApiSettings = {
  port: number;
  /** `{oidc}/{team slug}`, or `{oidc}` when the project's issuer mode is global. */
  issuer: string;
  /** `{origin}/{team slug}`. */
  audience: string;
  /** `owner:{team slug}:project:{project name}:environment:{environment}`. */
  subject: string;
};

/** An API that trusts one environment of one project by its token, and needs no secret to do so. */
export async function startVerifyingApi(settings: VerifyingApiSettings): Promise<Running> {
  const { issuer, audience, subject } = settings;
  // The team's path belongs to the issuer: `new URL('/.well-known/jwks', issuer)` would drop it.
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks`));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    try {
      if (token === undefined) throw new Error('no bearer token');
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        subject,
        algorithms: ['RS256', 'ES256'],
      });
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`OK, ${payload.sub}`);
    } catch {
      response
        .writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': 'Bearer' })
        .end('Unauthorized');
    }
  }

  return listen(
    createServer((request, response) => void answer(request, response)),
    settings.port,
  );
}
