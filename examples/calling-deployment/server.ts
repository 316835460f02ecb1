import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, type Running } from '../listen.ts';

export type CallingDeploymentSettings = {
  port: number;
  /** The base URL of the issuers. */
  oidc: string;
  /** The API that is called, and the audience that it expects: on the list of the deployment's project. */
  apiUrl: string;
  audience: string;
};

/** A deployment that calls an API with its own token, and keeps no secret to do so. */
export async function startCallingDeployment(settings: CallingDeploymentSettings): Promise<Running> {
  const { oidc, apiUrl, audience } = settings;
  let last: { from: string; token: string; expiresAt: number } | undefined;

  /** The deployment's token for another audience: asked for anew only when the last one is nearly over. */
  async function exchange(token: string): Promise<string> {
    if (last?.from === token && last.expiresAt - 60_000 > Date.now()) return last.token;
    const answer = await fetch(`${oidc}/~token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, aud: audience }),
    });
    const told = (await answer.json()) as { token: string; expiry: number; error?: string };
    if (!answer.ok) throw new Error(`the token was not exchanged: ${told.error}`);
    last = { from: token, token: told.token, expiresAt: told.expiry * 1000 };
    return told.token;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      // Set by the gateway on every request; whatever a client sent under this name is gone.
      const own = request.headers['x-vercel-oidc-token'];
      if (typeof own !== 'string') throw new Error('the gateway gave no token');
      const called = await fetch(apiUrl, { headers: { authorization: `Bearer ${await exchange(own)}` } });
      response.writeHead(called.status, { 'content-type': 'text/plain' }).end(await called.text());
    } catch (error) {
      response.writeHead(502, { 'content-type': 'text/plain' }).end(String(error));
    }
  }

  return listen(
    createServer((request, response) => void answer(request, response)),
    settings.port,
  );
}
