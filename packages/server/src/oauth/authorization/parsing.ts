import {
  codeChallengeMethods,
  diagnoseRedirectUri,
  isCodeChallenge,
  isPrompt,
  isResponseMode,
  matchesRedirectUri,
  parseScope,
  prompts,
  responseModes,
  webMessageResponseMode,
  type Prompt,
  type RedirectUriDifference,
  type ResponseMode,
} from '@tessera/protocol';
import { isPublicApp, type App } from '#apps';
import { oauthError, publicError, type OAuthError, type PublicError } from '#errors';
import type { AuthorizationParameters } from '#requests';
import { parseResources } from '../resources.ts';
import { parseClaims } from './claims.ts';

type Sent = ReadonlyMap<string, string>;

const longestState = 2_048;
const longestNonce = 512;
const longestShown = 100;

/** The app that a request comes from. Throws `client_unknown`: nothing is known to be safe to redirect to. */
export async function parseClient(
  sent: Sent,
  findApp: (id: string) => Promise<App | undefined>,
): Promise<App> {
  const clientId = sent.get('client_id');
  if (clientId === undefined) {
    throw publicError('client_unknown', { description: "Parameter 'client_id'. Required" });
  }
  const app = await findApp(clientId);
  if (app === undefined) {
    throw publicError('client_unknown', {
      description: `Parameter 'client_id'. No app is registered as '${shown(clientId)}'`,
    });
  }
  return app;
}

/** Where the answer may go. Throws a page's error: an unregistered URI is never redirected to (RFC 6749, 3.1.2.4). */
export function parseRedirectUri(sent: Sent, app: App, isOwner: boolean): string {
  const redirectUri = sent.get('redirect_uri');
  if (redirectUri === undefined) {
    throw publicError('authorization_request_invalid', { description: "Parameter 'redirect_uri'. Required" });
  }
  if (app.redirectUris.some((registered) => matchesRedirectUri(registered, redirectUri))) return redirectUri;
  throw redirectUriError(redirectUri, app, isOwner);
}

const differenceWords: Readonly<Record<RedirectUriDifference, string>> = {
  'trailing slash': 'its trailing slash',
  scheme: 'its scheme (http or https)',
  port: 'its port',
  host: 'the spelling of its host',
  'letter case': 'capital and small letters',
  path: 'its path',
  query: 'its query',
  fragment: 'the fragment ("#" and what follows)',
  'white space': 'white space before or after it',
  encoding: 'its encoding: it seems to be percent-encoded twice',
};

function redirectUriError(redirectUri: string, app: App, isOwner: boolean): PublicError {
  const nearMiss = diagnoseRedirectUri(app.redirectUris, redirectUri);
  const received = `The redirect URI is not registered for the app "${app.name}". Received: "${shown(redirectUri, 500)}".`;
  const differs =
    nearMiss === undefined
      ? ''
      : ` It differs from a registered one in ${nearMiss.differences.map((one) => differenceWords[one]).join(' and ')}.`;
  // What is registered is the owners' business: a stranger could learn of hosts that nobody was told of.
  const registered = isOwner
    ? ` Registered: ${app.redirectUris.map((uri) => `"${uri}"`).join(', ') || 'none'}.`
    : '';
  return publicError('redirect_uri_not_registered', {
    description: received + differs + registered,
    ...(isOwner && nearMiss !== undefined
      ? {
          mend: `You probably meant "${nearMiss.registered}". Send exactly that, or register the other one too.`,
        }
      : {}),
  });
}

/** How errors and the code go back. A mode that cannot be answered in has its error go by query. */
export function parseResponseMode(
  sent: Sent,
  app: Pick<App, 'webMessage'>,
  redirectUri: string,
): ResponseMode | OAuthError {
  const responseMode = sent.get('response_mode') ?? 'query';
  if (!isResponseMode(responseMode)) return invalidEnum('response_mode', responseModes, responseMode);
  if (responseMode === webMessageResponseMode) {
    if (!app.webMessage) {
      return oauthError(
        'invalid_request',
        `Parameter 'response_mode'. '${responseMode}' is not switched on for this app`,
      );
    }
    if (!/^https?:/.test(redirectUri)) {
      return oauthError(
        'invalid_request',
        `Parameter 'response_mode'. '${responseMode}' needs a redirect URI with an origin: https, or http on loopback`,
      );
    }
  }
  return responseMode;
}

/** `state`, to be echoed exactly; undefined also when it is too long, which `parseParameters` refuses. */
export function parseState(sent: Sent): string | undefined {
  const state = sent.get('state');
  return state !== undefined && state.length <= longestState ? state : undefined;
}

/**
 * All other parameters (RFC 6749 4.1.1, RFC 7636 4.3, OpenID Connect Core 3.1.2.1), which errors are sent back to
 * the app for. Throws OAuthError in the words of Vercel's documentation.
 */
export function parseParameters(
  sent: Sent,
  app: App,
  { api, ...place }: { redirectUri: string; responseMode: ResponseMode; api: string },
): AuthorizationParameters {
  refuseUnsupported(sent);
  const state = sent.get('state');
  if (state !== undefined && state.length > longestState) throw tooLong('state', longestState);
  const nonce = sent.get('nonce');
  if (nonce !== undefined && nonce.length > longestNonce) throw tooLong('nonce', longestNonce);
  const codeChallenge = parseCodeChallenge(sent, app);
  const maxAge = parseMaxAge(sent);
  const loginHint = sent.get('login_hint');
  const dpopJkt = parseDpopJkt(sent);
  return {
    clientId: app.id,
    ...place,
    scopes: parseScopes(sent, app),
    resources: parseResources(sent, app, api),
    prompts: parsePrompts(sent),
    ...parseClaims(sent, app),
    ...(state === undefined ? {} : { state }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(codeChallenge === undefined ? {} : { codeChallenge }),
    ...(maxAge === undefined ? {} : { maxAge }),
    ...(dpopJkt === undefined ? {} : { dpopJkt }),
    ...(loginHint === undefined ? {} : { loginHint: loginHint.slice(0, 254) }),
  };
}

function refuseUnsupported(sent: Sent): void {
  if (sent.has('request')) {
    throw oauthError('request_not_supported', "Parameter 'request'. Request objects are not supported");
  }
  if (sent.has('request_uri')) {
    throw oauthError(
      'request_uri_not_supported',
      "Parameter 'request_uri'. Request objects are not supported",
    );
  }
  const responseType = sent.get('response_type');
  if (responseType === undefined) throw oauthError('invalid_request', "Parameter 'response_type'. Required");
  if (responseType !== 'code') {
    const { description } = invalidEnum('response_type', ['code'], responseType);
    throw oauthError('unsupported_response_type', description);
  }
}

function parseCodeChallenge(sent: Sent, app: App): string | undefined {
  const codeChallenge = sent.get('code_challenge');
  const method = sent.get('code_challenge_method');
  if (method !== undefined && method !== 'S256') {
    throw invalidEnum('code_challenge_method', codeChallengeMethods, method);
  }
  if (codeChallenge === undefined) {
    if (!app.requirePkce && !isPublicApp(app) && method === undefined) return undefined;
    throw oauthError('invalid_request', "Parameter 'code_challenge'. Required");
  }
  if (codeChallenge.length < 43) {
    throw oauthError(
      'invalid_request',
      "Parameter 'code_challenge'. code_challenge must be at least 43 characters",
    );
  }
  if (codeChallenge.length > 128) {
    throw oauthError(
      'invalid_request',
      "Parameter 'code_challenge'. code_challenge must be at most 128 characters",
    );
  }
  if (!isCodeChallenge(codeChallenge)) {
    throw oauthError(
      'invalid_request',
      "Parameter 'code_challenge'. code_challenge must be made of A-Z a-z 0-9 - . _ ~",
    );
  }
  // Absent means `plain` (RFC 7636, 4.3), which is refused like any other value.
  if (method === undefined) {
    throw oauthError('invalid_request', "Parameter 'code_challenge_method'. Required. Expected 'S256'");
  }
  return codeChallenge;
}

export function parseScopes(sent: Sent, app: App): string[] {
  const scope = sent.get('scope');
  const enabled: readonly string[] = [...app.scopes, ...app.permissions];
  if (scope === undefined) return [...enabled];
  const asked = parseScope(scope);
  if (asked === undefined) throw oauthError('invalid_scope', "Parameter 'scope'. Malformed");
  const scopes = asked.filter((name) => enabled.includes(name));
  if (scopes.length === 0 && asked.length > 0) {
    throw oauthError(
      'invalid_scope',
      `Parameter 'scope'. None of the scopes is enabled for this app: ${shown(scope)}`,
    );
  }
  return scopes;
}

function parsePrompts(sent: Sent): Prompt[] {
  const words = [...new Set((sent.get('prompt') ?? '').split(' ').filter((word) => word !== ''))];
  const known: Prompt[] = [];
  for (const word of words) {
    if (!isPrompt(word)) throw invalidEnum('prompt', prompts, word);
    known.push(word);
  }
  if (known.includes('none') && known.length > 1) {
    throw oauthError('invalid_request', "Parameter 'prompt'. 'none' cannot be combined with other values");
  }
  return known;
}

function parseMaxAge(sent: Sent): number | undefined {
  const maxAge = sent.get('max_age');
  if (maxAge === undefined) return undefined;
  if (!/^\d{1,9}$/.test(maxAge)) {
    throw oauthError(
      'invalid_request',
      `Parameter 'max_age'. Expected a whole number of seconds, received '${shown(maxAge)}'`,
    );
  }
  return Number(maxAge);
}

/** RFC 9449, 10: a SHA-256 thumbprint. */
function parseDpopJkt(sent: Sent): string | undefined {
  const dpopJkt = sent.get('dpop_jkt');
  if (dpopJkt === undefined || /^[\w-]{43}$/.test(dpopJkt)) return dpopJkt;
  throw oauthError(
    'invalid_request',
    `Parameter 'dpop_jkt'. Expected a SHA-256 thumbprint of 43 characters, received '${shown(dpopJkt)}'`,
  );
}

function invalidEnum(name: string, values: readonly string[], received: string): OAuthError {
  const expected = values.map((value) => `'${value}'`).join(' | ');
  return oauthError(
    'invalid_request',
    `Parameter '${name}'. Invalid enum value. Expected ${expected}, received '${shown(received)}'`,
  );
}

function tooLong(name: string, most: number): OAuthError {
  return oauthError('invalid_request', `Parameter '${name}'. ${name} must be at most ${most} characters`);
}

/** What was received, short and printable: it goes into pages, logs and redirects. */
function shown(value: string, most = longestShown): string {
  return value.slice(0, most).replaceAll(/[^\x20-\x7e]/g, '?');
}
