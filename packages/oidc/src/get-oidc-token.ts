import { readTokenFile, refreshToken } from '#own-machine';
import { OidcTokenError, show } from './errors.ts';
import { exchangeToken } from './exchange.ts';
import { isFresh, readUnverified } from './jwt.ts';
import { readRequestContext } from './request-headers.ts';
import { baseUrlsOf, namesOf, readEnvironment, type InstanceOptions, type Names } from './settings.ts';

export type GetOidcTokenOptions = InstanceOptions & {
  /** For whom; the default audience of the team (`{origin}/{team slug}`) unless set. The project must list it. */
  audience?: string | undefined;
  /** How long the token has to be good for at least, in milliseconds; 30 seconds unless set. */
  expirationBufferMs?: number | undefined;
  /** Of which project a development token is refreshed; from `.vercel/project.json` unless set. */
  projectId?: string | undefined;
  /** Id or slug of its team; from `.vercel/project.json` unless set. */
  teamId?: string | undefined;
};

const optionNames: ReadonlySet<string> = new Set([
  'audience',
  'expirationBufferMs',
  'projectId',
  'teamId',
  'wirePrefix',
  'originUrl',
  'apiUrl',
  'oidcUrl',
] satisfies (keyof GetOidcTokenOptions)[]);

/**
 * The token that says which workload this is. The first of these that there is decides:
 *
 * 1. the file that `VERCEL_OIDC_TOKEN_FILE` names,
 * 2. the header `x-vercel-oidc-token` of the request that is being answered (see `@tessera/oidc/request-context`),
 * 3. the variable `VERCEL_OIDC_TOKEN`,
 * 4. on a developer's machine: a new development token, by the login of the command line, for the linked project.
 *
 * A variable that has expired is replaced by 4; nothing else is. Callers that ask at once share one request.
 *
 * @returns the token, a JWT; good for `expirationBufferMs` at least
 * @throws {OidcTokenError} its `code` says what is missing
 */
export async function getOidcToken(options: GetOidcTokenOptions = {}): Promise<string> {
  const { audience, expirationBufferMs: bufferMs = 30_000 } = checkOptions(options);
  const token = await findToken(namesOf(options.wirePrefix), options, bufferMs);
  if (audience === undefined) return token;
  const { oidc } = baseUrlsOf(options);
  if (oidc === undefined) {
    throw new OidcTokenError(
      'not_configured',
      'To exchange the token for another audience, set TESSERA_OIDC_URL (or TESSERA_PUBLIC_URL) or the option oidcUrl.',
    );
  }
  return exchangeToken({ token, audience, oidcUrl: oidc, bufferMs });
}

/** Other libraries call a callback with an object of their own, which must not be taken for a wish of the caller. */
function checkOptions(options: GetOidcTokenOptions): GetOidcTokenOptions {
  const unknown = Object.keys(options).find((name) => !optionNames.has(name));
  if (unknown !== undefined) {
    throw new OidcTokenError(
      'option',
      `getOidcToken has no option ${show(unknown)}. As a callback of another library, wrap it: () => getOidcToken().`,
    );
  }
  const { audience, expirationBufferMs } = options;
  if (audience !== undefined && (typeof audience !== 'string' || audience === '')) {
    throw new OidcTokenError(
      'option',
      `The audience is ${show(audience)}; expected a text that is not empty.`,
    );
  }
  if (expirationBufferMs !== undefined && !(expirationBufferMs >= 0 && Number.isFinite(expirationBufferMs))) {
    throw new OidcTokenError(
      'option',
      `expirationBufferMs is ${show(expirationBufferMs)}; expected milliseconds from 0.`,
    );
  }
  return options;
}

async function findToken(names: Names, options: GetOidcTokenOptions, bufferMs: number): Promise<string> {
  const path = readEnvironment(names.tokenFileVariable);
  if (path !== undefined) {
    return requireFresh(await readTokenFile(path, names), names.tokenFileVariable, bufferMs);
  }
  const header = readRequestContext(names)[names.tokenHeader];
  if (header !== undefined) return requireFresh(header, `The header ${names.tokenHeader}`, bufferMs);

  const given = readEnvironment(names.tokenVariable);
  if (given === undefined) return refreshToken({ names, options, bufferMs, of: undefined });
  const payload = readUnverified(given, names.tokenVariable);
  if (isFresh(payload, bufferMs)) return given;
  try {
    return await refreshToken({ names, options, bufferMs, of: payload['project_id'] });
  } catch (error) {
    if (!(error instanceof OidcTokenError)) throw error;
    throw new OidcTokenError(
      error.code === 'no_token' ? 'token_expired' : error.code,
      `${names.tokenVariable} ${expiry(payload)}, and no new one could be had. ${error.message}`,
      { cause: error },
    );
  }
}

function requireFresh(token: string, where: string, bufferMs: number): string {
  const payload = readUnverified(token, where);
  if (isFresh(payload, bufferMs)) return token;
  throw new OidcTokenError(
    'token_expired',
    `${where} ${expiry(payload)}, which leaves less than ${bufferMs} ms. What sets it has to renew it.`,
  );
}

function expiry({ exp }: { exp: number }): string {
  const seconds = Math.round(exp - Date.now() / 1000);
  return seconds > 0 ? `expires in ${seconds} s` : `expired ${-seconds} s ago`;
}
