import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, show } from '../errors.ts';
import type { Terminal } from '../terminal.ts';
import { ask, type Asked } from './ask.ts';
import { discover, parseBaseUrl, type Instance } from './instance.ts';
import { withLock } from './lock.ts';
import { findLoginFolder, readPrivateFile, writePrivateFile } from './private-files.ts';

// The public client that instances seed for their command line, unless TESSERA_CLI_CLIENT_ID says another.
const seededClientId = 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp';
const renewBeforeMs = 30_000;
// Vercel's own software keeps its login in the same file, without saying where: it knows one instance.
const originOfOthers = 'https://vercel.com';

/** `auth.json`, which the unmodified `@vercel/oidc` reads too; `expiresAt` in Unix seconds. */
export type Login = { token: string; refreshToken?: string; expiresAt?: number };

/** With the instance that gave the tokens. It stands in the one file with them, so that they cannot be parted. */
type StoredLogin = Login & { origin: string };

export function readClientId({ environment }: Pick<Terminal, 'environment'>): string {
  return environment['TESSERA_CLI_CLIENT_ID'] ?? seededClientId;
}

/** The tokens of a token endpoint's answer, or why there are none. The answer itself is never shown. */
export function readTokens({ status, answer }: Asked, refreshTokenBefore?: string): Login {
  const { access_token: token, refresh_token: next, token_type: type, expires_in: seconds } = answer;
  if (
    status !== 200 ||
    typeof token !== 'string' ||
    typeof seconds !== 'number' ||
    String(type).toLowerCase() !== 'bearer'
  ) {
    throw new CommandError(
      'login_refused',
      `The token endpoint answered ${status}, ${show(answer['error'])}: ${show(answer['error_description'])}; expected a bearer token.`,
      'Log in again: tessera-cli login --url <instance>',
      { exitStatus: answer['error'] === 'invalid_grant' ? 3 : 1 },
    );
  }
  const refreshToken = typeof next === 'string' ? next : refreshTokenBefore;
  return {
    token,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    expiresAt: Math.floor(Date.now() / 1000) + seconds,
  };
}

/** The login of this user on this machine, in two files that only they can read. */
export function createStoredLogin(terminal: Pick<Terminal, 'environment'>) {
  const folder = findLoginFolder(terminal);
  const authFile = join(folder, 'auth.json');
  const instanceFile = join(folder, 'instance.json');

  async function readInstance(): Promise<Instance> {
    const said = parse(await readPrivateFile(instanceFile), instanceFile);
    const urlOf = (role: string): string => {
      const given = said?.[role];
      const parsed = parseBaseUrl(typeof given === 'string' ? given : '');
      if ('url' in parsed) return parsed.url;
      throw damaged(instanceFile);
    };
    if (said === undefined) throw nobody('Nobody is logged in on this machine.');
    const oidc = said['oidc'] === undefined ? {} : { oidc: urlOf('oidc') };
    return { origin: urlOf('origin'), api: urlOf('api'), ...oidc };
  }

  async function readLogin(): Promise<StoredLogin> {
    const said = parse(await readPrivateFile(authFile), authFile);
    if (said === undefined) throw nobody('Nobody is logged in on this machine.');
    const { origin = originOfOthers, token, refreshToken, expiresAt } = said;
    if (typeof origin !== 'string' || typeof token !== 'string' || token === '') throw damaged(authFile);
    return {
      origin,
      token,
      ...(typeof refreshToken === 'string' && refreshToken !== '' ? { refreshToken } : {}),
      ...(typeof expiresAt === 'number' ? { expiresAt } : {}),
    };
  }

  /** Both files; only under the lock do they surely stand side by side as one login wrote them. */
  async function readBoth(): Promise<{ login: StoredLogin; instance: Instance }> {
    const [login, instance] = [await readLogin(), await readInstance()];
    if (isOf(login, instance)) return { login, instance };
    throw nobody(
      `The tokens in ${show(authFile)} were given by ${show(login.origin)}, but the login was at ${instance.origin}: another program has logged in since.`,
    );
  }

  const write = (path: string, value: object): Promise<void> =>
    writePrivateFile(path, `${JSON.stringify(value, null, 2)}\n`);

  return {
    /** Replaces the login. The old token goes first: at no moment does it stand beside another instance's address. */
    keep: ({ origin, api, oidc }: Instance, login: Login): Promise<void> =>
      withLock(authFile, async () => {
        await rm(authFile, { force: true });
        await write(instanceFile, { origin, api, oidc });
        await write(authFile, { origin, ...login });
      }),

    /** The instance of the login, also of one that has expired. Throws `not_logged_in`. */
    where: readInstance,

    /** The access token, renewed shortly before it expires, and where it may be sent. */
    async use(): Promise<{ instance: Instance; token: string }> {
      const [first, instance] = [await readLogin(), await readInstance()];
      if (isOf(first, instance) && isFresh(first)) return { instance, token: first.token };
      // A refresh token is good once: two processes that use the same one would end the login. And whoever is logging
      // in just now replaces both files under the lock.
      return withLock(authFile, async () => {
        const { login, instance: current } = await readBoth();
        if (isFresh(login)) return { instance: current, token: login.token };
        if (login.refreshToken === undefined) throw nobody('The login has expired.');
        const { tokenEndpoint, api } = await discover(current.origin);
        if (api !== current.api) {
          throw nobody(`The API of ${current.origin} was at ${current.api} and is at ${api} now.`);
        }
        const form = {
          grant_type: 'refresh_token',
          client_id: readClientId(terminal),
          refresh_token: login.refreshToken,
        };
        const renewed = readTokens(await ask(tokenEndpoint, form), login.refreshToken);
        await write(authFile, { origin: current.origin, ...renewed });
        return { instance: current, token: renewed.token };
      });
    },

    /** Ends the login at the server and deletes it here; it is deleted also when the server cannot be asked. */
    end: (): Promise<Instance> =>
      withLock(authFile, async () => {
        const { login, instance } = await readBoth();
        try {
          const { revocationEndpoint, api } = await discover(instance.origin);
          if (api !== instance.api) throw nobody(`The API of ${instance.origin} has moved to ${api}.`);
          const client_id = readClientId(terminal);
          // The refresh token takes all tokens of the login with it (RFC 7009, 2.1).
          const { status, answer } = await ask(revocationEndpoint, {
            client_id,
            token: login.refreshToken ?? login.token,
          });
          if (status !== 200) {
            throw new CommandError(
              'not_revoked',
              `The server answered ${status}, ${show(answer['error'])}; expected 200. The login is deleted here but not ended there.`,
              'End it on the account page of the instance.',
            );
          }
        } finally {
          await rm(authFile, { force: true });
          await rm(instanceFile, { force: true });
        }
        return instance;
      }),
  };
}

/** Whether this instance gave the tokens: they are sent nowhere else. */
function isOf({ origin }: StoredLogin, instance: Instance): boolean {
  const [one, other] = [URL.parse(origin), URL.parse(instance.origin)];
  return one !== null && other !== null && one.href === other.href;
}

function isFresh({ expiresAt }: Login): boolean {
  return expiresAt === undefined || expiresAt * 1000 > Date.now() + renewBeforeMs;
}

function parse(text: string | undefined, path: string): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The content is a secret, and JSON.parse repeats it.
  }
  throw damaged(path);
}

const damaged = (path: string): CommandError => nobody(`${show(path)} is damaged.`);

function nobody(detail: string): CommandError {
  return new CommandError('not_logged_in', detail, 'Run: tessera-cli login --url <instance>', {
    exitStatus: 3,
  });
}
