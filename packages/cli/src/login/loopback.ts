import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CommandError, show } from '../errors.ts';
import { ask } from './ask.ts';
import type { Metadata } from './instance.ts';
import { readTokens, type Login } from './stored-login.ts';

const patienceMs = 5 * 60_000;
export const scope = 'openid profile email offline_access';

/** Logs in through the browser: a loopback address on a port of the moment, PKCE, no secret (RFC 8252). */
export async function logInByLoopback(
  metadata: Metadata,
  clientId: string,
  showAddress: (address: string) => void,
): Promise<Login> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(32).toString('base64url');
  const receiver = await receiveAnswer(metadata.origin, state);
  try {
    const address = new URL(metadata.authorizationEndpoint);
    const parameters = {
      client_id: clientId,
      redirect_uri: receiver.redirectUri,
      response_type: 'code',
      scope,
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
    showAddress(address.href);
    const code = await receiver.code;
    return readTokens(
      await ask(metadata.tokenEndpoint, {
        grant_type: 'authorization_code',
        client_id: clientId,
        code,
        redirect_uri: receiver.redirectUri,
        code_verifier: verifier,
      }),
    );
  } finally {
    receiver.close();
  }
}

/** Listens for the one answer that has our state; what else is sent there is refused, and does not end the wait. */
async function receiveAnswer(
  origin: string,
  state: string,
): Promise<{ redirectUri: string; code: Promise<string>; close(): void }> {
  const { promise: code, resolve, reject } = Promise.withResolvers<string>();
  // Nobody may be waiting yet when it fails.
  code.catch(() => undefined);
  let host = '';

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, text: string): void => {
      response.writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        connection: 'close',
      });
      response.end(`${text}\n`);
    };
    const url = URL.parse(request.url ?? '', `http://${host}`);
    // A page that has our address under a name of its own (DNS rebinding) names another host.
    if (request.headers.host !== host || request.method !== 'GET' || url?.pathname !== '/callback') {
      return say(404, 'Nothing is here.');
    }
    const once = (name: string): string | undefined => {
      const values = url.searchParams.getAll(name);
      return values.length === 1 ? values[0] : undefined;
    };
    // RFC 9207: an answer of another issuer is not ours, whatever its state.
    if (!isEqual(once('state') ?? '', state) || once('iss') !== origin) {
      return say(400, 'This is not the answer to the login that is waiting.');
    }
    const [given, error] = [once('code'), once('error')];
    if (given !== undefined && error === undefined) {
      say(200, 'You can close this page and go back to the terminal.');
      return resolve(given);
    }
    say(200, 'The login was refused. You can close this page and go back to the terminal.');
    reject(
      new CommandError(
        'login_refused',
        `The instance answered ${show(error)}: ${show(once('error_description'))}; expected a code.`,
        'Run tessera-cli login again and allow it.',
      ),
    );
  }

  const server = createServer({ requestTimeout: 10_000 }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const timer = setTimeout(
    () =>
      reject(
        new CommandError(
          'login_timed_out',
          'Nobody logged in within five minutes.',
          'Run tessera-cli login again, or with --device if the browser is on another machine.',
        ),
      ),
    patienceMs,
  );
  return {
    redirectUri: `http://${host}/callback`,
    code,
    close() {
      clearTimeout(timer);
      server.close();
      server.closeIdleConnections();
    },
  };
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
