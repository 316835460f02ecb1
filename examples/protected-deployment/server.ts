import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose';
import { listen, type Running } from '../listen.ts';
import { escapeHtml, renderFacts, sendPage } from '../page.ts';

export type ProtectedDeploymentSettings = {
  port: number;
  /** `{passport}/{team slug}`: who signs the visitor's token. */
  passportIssuer: string;
  /** `{origin}/{team slug}/{project name}/{environment}`: for whom it is signed. */
  passportAudience: string;
  /** An API that trusts this deployment by its workload token. */
  verifyingApiUrl: string;
};

/**
 * A deployment behind the gateway: it learns who its visitor is from `x-vercel-oidc-passport-token`, which it
 * verifies, and calls an API with its own `x-vercel-oidc-token` instead of a secret.
 */
export async function startProtectedDeployment(settings: ProtectedDeploymentSettings): Promise<Running> {
  const keys = createRemoteJWKSet(new URL(`${settings.passportIssuer}/.well-known/jwks`));

  async function verifyVisitor(request: IncomingMessage): Promise<JWTPayload> {
    const token = request.headers['x-vercel-oidc-passport-token'];
    if (typeof token !== 'string') throw new Error('the request has no passport token');
    const { payload } = await jwtVerify(token, keys, {
      issuer: settings.passportIssuer,
      audience: settings.passportAudience,
    });
    return payload;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visitor = await verifyVisitor(request);
    sendPage(
      response,
      200,
      'Protected deployment',
      `<p>Only people whom the team's identity provider knows see this page.</p>${renderFacts({
        external_sub: visitor['external_sub'],
        name: visitor['name'] ?? '(not given)',
        email: visitor['email'] ?? '(not given)',
        connector_id: visitor['connector_id'],
        project: visitor['project'],
        environment: visitor['environment'],
        'verifying-api': await callApi(settings.verifyingApiUrl, request),
      })}`,
    );
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // Whoever comes here around the gateway has no token, and sees nothing.
      const reason = error instanceof Error ? error.message : String(error);
      sendPage(response, 403, 'Not through the gateway', `<p id="problem">${escapeHtml(reason)}</p>`);
    });
  });
  return listen(server, settings.port);
}

async function callApi(url: string, request: IncomingMessage): Promise<string> {
  const token = request.headers['x-vercel-oidc-token'];
  if (typeof token !== 'string') return 'not called: this deployment has no workload token';
  try {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    return `${response.status} ${await response.text()}`;
  } catch {
    return 'not reached';
  }
}
