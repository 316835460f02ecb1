import { join } from 'node:path';
import { parseBaseUrl } from '../base-url.ts';
import { OidcTokenError, show } from '../errors.ts';
import { readEnvironment, type BaseUrls } from '../settings.ts';
import { withLock } from './lock.ts';
import { findDataFolder, readPrivateFile, writePrivateFile } from './private-files.ts';

// The public client that instances seed for their command line, unless TESSERA_CLI_CLIENT_ID says another.
const seededClientId = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';
const timeoutMs = 10_000;
const renewBeforeMs = 30_000;
const logIn = 'Run: tessera-cli login';

// Vercel's own software keeps its login in the same file, without saying where: it knows one instance.
const originOfOthers = 'https://vercel.com';

/** What `tessera-cli login` keeps in `com.{prefix}.cli/auth.json`; `expiresAt` in Unix seconds. */
type Login = {
  /** The instance that gave the tokens: they are sent nowhere else. */
  origin: string;
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

/** The instance of the login, from `instance.json` beside it. */
type Instance = { origin: string; api: string; oidc: string | undefined };

async function readInstance(path: string): Promise<Instance> {
  const text = await readPrivateFile(path);
  if (text === undefined) {
    throw new OidcTokenError(
      'not_logged_in',
      `It is not known which instance the login on this machine is for: there is no ${show(path)}. ${logIn}`,
    );
  }
  const said = parseJson(text, path);
  const urlOf = (role: string): string => {
    const given = said[role];
    const parsed = parseBaseUrl(typeof given === 'string' ? given : '');
    if ('url' in parsed) return parsed.url;
    throw new OidcTokenError(
      'not_logged_in',
      `${show(path)} has for ${role} ${show(given)}, which ${parsed.problem}. ${logIn}`,
    );
  };
  return {
    origin: urlOf('origin'),
    api: urlOf('api'),
    oidc: said['oidc'] === undefined ? undefined : urlOf('oidc'),
  };
}

/** Tokens are for whoever gave them: what else is asked for, by option or environment, must be the same instance. */
function compare(instance: Instance, asked: BaseUrls): void {
  for (const role of ['origin', 'api', 'oidc'] as const) {
    const [of, other] = [instance[role], asked[role]];
    if (of === undefined || other === undefined || isSame(of, other)) continue;
    const name = `TESSERA_${role.toUpperCase()}_URL`;
    throw new OidcTokenError(
      'not_logged_in',
      `The login on this machine is for ${instance.origin} (${role}: ${of}), but ${other} is asked for, by the ` +
        `option ${role}Url, ${name} or TESSERA_PUBLIC_URL. Log in there (tessera-cli login --url …), or leave it out.`,
    );
  }
}

/**
 * The access token of the login, renewed shortly before it expires, and where it may be sent: to the instance that gave
 * it. `asked`: what is set, which must be that instance.
 *
 * @throws {OidcTokenError} `not_logged_in`, `refresh_failed`
 */
export async function useLogin(prefix: string, asked: BaseUrls): Promise<{ api: string; token: string }> {
  const folder = folderOf(prefix);
  const path = join(folder, 'auth.json');
  const read = async () => {
    const login = await readLogin(path);
    return { login, instance: await readInstance(join(folder, 'instance.json')) };
  };
  const first = await read();
  if (isSame(first.login.origin, first.instance.origin) && isFresh(first.login)) {
    compare(first.instance, asked);
    return { api: first.instance.api, token: first.login.token };
  }
  // A refresh token is good once: two processes that use the same one would end the login. And whoever is logging in
  // just now replaces both files under the lock.
  return withLock(path, async () => {
    const { login, instance } = await read();
    if (!isSame(login.origin, instance.origin)) {
      throw new OidcTokenError(
        'not_logged_in',
        `The tokens in ${show(path)} were given by ${login.origin}, but the login was at ${instance.origin}: another ` +
          `program has logged in since. ${logIn}`,
      );
    }
    compare(instance, asked);
    if (isFresh(login)) return { api: instance.api, token: login.token };
    if (login.refreshToken === undefined) throw ended('its access token has expired');
    const renewed = await renew(instance, login.refreshToken);
    await writePrivateFile(path, `${JSON.stringify({ ...login, ...renewed }, null, 2)}\n`);
    return { api: instance.api, token: renewed.token };
  });
}

function isSame(one: string, other: string): boolean {
  return new URL(one).href === new URL(other).href;
}

async function readLogin(path: string): Promise<Login> {
  const text = await readPrivateFile(path);
  if (text === undefined) {
    throw new OidcTokenError('not_logged_in', `Nobody is logged in on this machine. ${logIn}`);
  }
  const said = parseJson(text, path);
  const { origin: given = originOfOthers } = said;
  const origin = parseBaseUrl(typeof given === 'string' ? given : '');
  if ('problem' in origin) throw damaged(path);
  const login: Login = { origin: origin.url };
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
  { origin, api }: Instance,
  refreshToken: string,
): Promise<{ token: string; refreshToken: string; expiresAt: number }> {
  const tokenEndpoint = await discoverTokenEndpoint(origin, api);
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

async function discoverTokenEndpoint(origin: string, api: string): Promise<string> {
  const address = `${origin}/.well-known/openid-configuration`;
  const { status, answer } = await ask(address, {});
  const endpoint = answer['token_endpoint'];
  // OpenID Connect Discovery 4.3: a document that names another issuer is not this one's.
  if (status !== 200 || answer['issuer'] !== origin || typeof endpoint !== 'string') {
    throw new OidcTokenError('refresh_failed', `${address} is not the metadata of ${origin}.`);
  }
  const expected = `${api}/login/oauth/token`;
  // The new token is sent to the API of the login; where the API has moved, that host may be somebody else's now.
  if (endpoint === expected) return endpoint;
  throw new OidcTokenError(
    'not_logged_in',
    `${address} names the token endpoint ${show(endpoint)}; expected ${show(expected)}, as at the login. ${logIn}`,
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
  throw damaged(path);
}

function damaged(path: string): OidcTokenError {
  return new OidcTokenError('not_logged_in', `${show(path)} is damaged. ${logIn}`);
}

function ended(why: string): OidcTokenError {
  return new OidcTokenError('not_logged_in', `The login has ended (${why}). ${logIn}`);
}
