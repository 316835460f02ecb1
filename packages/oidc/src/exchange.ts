import { joinPath } from './base-url.ts';
import { OidcTokenError, show } from './errors.ts';
import { isFresh, readUnverified } from './jwt.ts';
import { createSingleFlight, digest } from './single-flight.ts';

type Exchanged = { token: string; expiresAt: number };

const remembered = 1_000;
const timeoutMs = 10_000;
const inFlight = createSingleFlight<Exchanged>();
const known = new Map<string, Exchanged>();

/**
 * The same workload's token for another audience, from `POST {oidc}/~token`. Remembered until it expires.
 *
 * `oidcUrl` comes from configuration, never from the token: whoever could choose it would be sent the token.
 *
 * @throws {OidcTokenError} `exchange_failed`, with what the server said
 */
export async function exchangeToken(asked: {
  token: string;
  audience: string;
  oidcUrl: string;
  bufferMs: number;
}): Promise<string> {
  const { token, audience, oidcUrl, bufferMs } = asked;
  const key = await digest(oidcUrl, token, audience);
  const before = known.get(key);
  if (before !== undefined && before.expiresAt > Date.now() + bufferMs) {
    remember(key, before);
    return before.token;
  }
  const exchanged = await inFlight(key, () => exchange(token, audience, oidcUrl));
  if (exchanged.expiresAt <= Date.now() + bufferMs) {
    throw new OidcTokenError(
      'token_expired',
      `The exchanged token expires within ${bufferMs} ms: it lives no longer than what it was exchanged for.`,
    );
  }
  remember(key, exchanged);
  return exchanged.token;
}

function remember(key: string, exchanged: Exchanged): void {
  known.delete(key);
  known.set(key, exchanged);
  for (const oldest of known.keys()) {
    if (known.size <= remembered) break;
    known.delete(oldest);
  }
}

async function exchange(token: string, audience: string, oidcUrl: string): Promise<Exchanged> {
  const endpoint = joinPath(oidcUrl, '/~token');
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ token, aud: audience }),
      // A redirect would carry the token to wherever it leads.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw new OidcTokenError('exchange_failed', `${endpoint.href} could not be reached.`, { cause });
  }
  const answer = await readAnswer(response);
  if (!response.ok) {
    const said = typeof answer['error'] === 'string' ? answer['error'] : `status ${response.status}`;
    throw new OidcTokenError(
      'exchange_failed',
      `${endpoint.href} gave no token for the audience ${show(audience)}: ${said.slice(0, 500)}`,
    );
  }
  const { token: exchanged } = answer;
  if (typeof exchanged !== 'string') {
    throw new OidcTokenError('exchange_failed', `The answer of ${endpoint.href} has no token.`);
  }
  const payload = readUnverified(exchanged, `The answer of ${endpoint.href}`);
  if (payload.aud !== audience || !isFresh(payload, 0)) {
    throw new OidcTokenError(
      'exchange_failed',
      `${endpoint.href} answered with a token for ${show(payload.aud)} instead of ${show(audience)}, or with an expired one.`,
    );
  }
  return { token: exchanged, expiresAt: payload.exp * 1000 };
}

async function readAnswer(response: Response): Promise<Record<string, unknown>> {
  try {
    const answer: unknown = await response.json();
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
