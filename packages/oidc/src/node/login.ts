import { join } from 'node:path';
import { parseBaseUrl } from '../base-url.ts';
import { OidcTokenError, show } from '../errors.ts';
import { readEnvironment, type BaseUrls } from '../settings.ts';
import { findDataFolder, readPrivateFile, withLock, writePrivateFile } from './private-files.ts';

// The public client that instances seed for their command line, unless TESSERA_CLI_CLIENT_ID says another.
const seededClientId = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';
const timeoutMs = 10_000;
const renewBeforeMs = 30_000;

/** What `tessera-cli login` keeps in `com.{prefix}.cli/auth.json`; `expiresAt` in Unix seconds. */
type Login = {
  token?: string | undefined;
  refreshToken?: string | undefined;
  expiresAt?: number | undefined;
};

/** `{user data}/com.{prefix}.cli`, where the unmodified `@vercel/oidc` looks too. */
function folderOf(prefix: string): string {
  const folder = join(findDataFolder(), `com.${prefix}.cli`);
  const hasXdg = process.env['XDG_DATA_HOME'] !== undefined;
  return process.platform === 'win32' && !hasXdg ? join(folder, 'Data') : folder;
}

/** The base URLs of the instance that the command line logged in at, from `instance.json` beside the login. */
export async function readInstance(prefix: string): Promise<BaseUrls> {
  const path = join(folderOf(prefix), 'instance.json');
  const text = await readPrivateFile(path);
  const said = text === undefined ? {} : parseJson(text, path);
  const urlOf = (role: string): string | undefined => {
    const given = said[role];
    if (given === undefined) return undefined;
    const parsed = parseBaseUrl(typeof given === 'string' ? given : '');
    if ('url' in parsed) return parsed.url;
    throw new OidcTokenError(
      'not_configured',
      `${show(path)} has for ${role} ${show(given)}, which ${parsed.problem}.`,
    );
  };
  return { origin: urlOf('origin'), api: urlOf('api'), oidc: urlOf('oidc') };
}

/**
 * The access token of the login, renewed shortly before it expires.
 *
 * @throws {OidcTokenError} `not_logged_in`, `refresh_failed`
 */
export async function getAccessToken(prefix: string, origin: string | undefined): Promise<string> {
  const path = join(folderOf(prefix), 'auth.json');
  const login = await readLogin(path);
  if (isFresh(login)) return login.token;
  // A refresh token is good once: two processes that use the same one would end the login.
  return withLock(path, async () => {
    const current = await readLogin(path);
    if (isFresh(current)) return current.token;
    if (current.refreshToken === undefined) throw ended('its access token has expired');
    if (origin === undefined) throw notConfigured('TESSERA_ORIGIN_URL');
    const renewed = await renew(origin, current.refreshToken);
    await writePrivateFile(path, `${JSON.stringify({ ...current, ...renewed }, null, 2)}\n`);
    return renewed.token;
  });
}

export function notConfigured(name: string): OidcTokenError {
  return new OidcTokenError(
    'not_configured',
    `Which instance to ask is not known: set ${name} (or TESSERA_PUBLIC_URL), or log in with tessera-cli login.`,
  );
}

async function readLogin(path: string): Promise<Login> {
  const text = await readPrivateFile(path);
  if (text === undefined) {
    throw new OidcTokenError('not_logged_in', 'Nobody is logged in on this machine. Run: tessera-cli login');
  }
  const said = parseJson(text, path);
  const login: Login = {};
  if (typeof said['token'] === 'string' && said['token'] !== '') login.token = said['token'];
  if (typeof said['refreshToken'] === 'string' && said['refreshToken'] !== '') {
    login.refreshToken = said['refreshToken'];
  }
  if (typeof said['expiresAt'] === 'number') login.expiresAt = said['expiresAt'];
  if (login.token === undefined && login.refreshToken === undefined) throw ended('nothing is left of it');
  return { ...said, ...login };
}

function isFresh(login: Login): login is Login & { token: string } {
  if (login.token === undefined) return false;
  return login.expiresAt === undefined || login.expiresAt * 1000 > Date.now() + renewBeforeMs;
}

async function renew(
  origin: string,
  refreshToken: string,
): Promise<{ token: string; refreshToken: string; expiresAt: number }> {
  const tokenEndpoint = await discoverTokenEndpoint(origin);
  const { status, answer } = await ask(tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: readEnvironment('TESSERA_CLI_CLIENT_ID') ?? seededClientId,
      refresh_token: refreshToken,
    }),
  });
  if (answer['error'] === 'invalid_grant') throw ended('it was ended, or renewed elsewhere');
  const { access_token: token, refresh_token: next, token_type: type, expires_in: seconds } = answer;
  if (
    status !== 200 ||
    typeof token !== 'string' ||
    typeof seconds !== 'number' ||
    String(type).toLowerCase() !== 'bearer'
  ) {
    const said = typeof answer['error'] === 'string' ? answer['error'].slice(0, 200) : `status ${status}`;
    throw new OidcTokenError('refresh_failed', `${tokenEndpoint} did not renew the login: ${said}`);
  }
  return {
    token,
    refreshToken: typeof next === 'string' ? next : refreshToken,
    expiresAt: Math.floor(Date.now() / 1000) + seconds,
  };
}

async function discoverTokenEndpoint(origin: string): Promise<string> {
  const address = `${origin}/.well-known/openid-configuration`;
  const { status, answer } = await ask(address, {});
  const endpoint = answer['token_endpoint'];
  // OpenID Connect Discovery 4.3: a document that names another issuer is not this one's.
  if (status !== 200 || answer['issuer'] !== origin || typeof endpoint !== 'string') {
    throw new OidcTokenError('refresh_failed', `${address} is not the metadata of ${origin}.`);
  }
  const parsed = parseBaseUrl(endpoint);
  if ('url' in parsed) return parsed.url;
  throw new OidcTokenError(
    'refresh_failed',
    `${address} names the token endpoint ${show(endpoint)}, which ${parsed.problem}.`,
  );
}

/** One request that follows no redirect, since it carries secrets. */
export async function ask(
  address: string,
  init: RequestInit,
): Promise<{ status: number; answer: Record<string, unknown> }> {
  let response: Response;
  try {
    response = await fetch(address, { ...init, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  } catch (cause) {
    throw new OidcTokenError('refresh_failed', `${address} could not be reached.`, { cause });
  }
  const answer: unknown = await response.json().catch(() => undefined);
  return {
    status: response.status,
    answer: typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {},
  };
}

function parseJson(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The content is a secret, and JSON.parse repeats it.
  }
  throw new OidcTokenError('not_logged_in', `${show(path)} is damaged. Run: tessera-cli login`);
}

function ended(why: string): OidcTokenError {
  return new OidcTokenError('not_logged_in', `The login has ended (${why}). Run: tessera-cli login`);
}
