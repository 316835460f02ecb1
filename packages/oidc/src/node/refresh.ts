import { join } from 'node:path';
import { OidcTokenError, show } from '../errors.ts';
import { isFresh, readUnverified } from '../jwt.ts';
import type { RefreshAsked } from '../own-machine.ts';
import { baseUrlsOf, type Names } from '../settings.ts';
import { createSingleFlight, digest } from '../single-flight.ts';
import { ask, useLogin } from './login.ts';
import { findDataFolder, readPrivateFile, writePrivateFile } from './private-files.ts';
import { findProjectLink, type ProjectLink } from './project-link.ts';

const inFlight = createSingleFlight<string>();

/**
 * A development token of the linked project, by the login of the command line: the one of last time while it is good,
 * otherwise a new one.
 *
 * @throws {OidcTokenError} `no_token`, `not_logged_in`, `file_not_private`, `refresh_failed`, `project_mismatch`
 */
export async function refreshToken({ names, options, bufferMs, of }: RefreshAsked): Promise<string> {
  const link = await findProjectLink(names.prefix, {
    ...(options.projectId === undefined ? {} : { projectId: options.projectId }),
    ...(options.teamId === undefined ? {} : { teamId: options.teamId }),
  }).catch((error: unknown) => {
    throw withoutAnySource(error, names);
  });
  if (typeof of === 'string' && link.projectId.startsWith('prj_') && link.projectId !== of) {
    throw new OidcTokenError(
      'project_mismatch',
      `${names.tokenVariable} is of the project ${show(of)}, but this folder is linked to ${link.projectId}. ` +
        'Run: tessera-cli env pull',
    );
  }
  const { api, token: accessToken } = await useLogin(names.prefix, baseUrlsOf(options));
  // By login too: after somebody else has logged in, nobody is handed the token of the one before.
  const key = await digest(api, link.projectId, link.teamId, accessToken);
  return inFlight(`${key} ${bufferMs}`, async () => {
    const path = join(findDataFolder(), `com.${names.prefix}.oidc`, `${key}.json`);
    const before = await readRemembered(path);
    if (before !== undefined && isFresh(readUnverified(before, path), bufferMs)) return before;
    const token = await mint(api, link, accessToken);
    if (!isFresh(readUnverified(token, `The answer of ${api}`), bufferMs)) {
      throw new OidcTokenError('refresh_failed', `${api} gave a token that expires within ${bufferMs} ms.`);
    }
    await writePrivateFile(path, JSON.stringify({ token }));
    return token;
  });
}

async function readRemembered(path: string): Promise<string | undefined> {
  try {
    const { token } = JSON.parse((await readPrivateFile(path)) ?? '{}') as { token?: unknown };
    if (typeof token !== 'string') return undefined;
    readUnverified(token, path);
    return token;
  } catch {
    // Damaged, or not private any more: it is replaced by a new one.
    return undefined;
  }
}

async function mint(api: string, link: ProjectLink, accessToken: string): Promise<string> {
  const query = new URLSearchParams({ source: 'tessera-oidc' });
  if (link.teamId !== undefined) query.set('teamId', link.teamId);
  const { status, answer } = await ask(
    `${api}/v1/projects/${encodeURIComponent(link.projectId)}/token?${query.toString()}`,
    {
      method: 'POST',
      headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
    },
  );
  const { token } = answer;
  if (status === 200 && typeof token === 'string') return token;
  if (status === 401) {
    throw new OidcTokenError(
      'not_logged_in',
      `${api} does not know the login any more. Run: tessera-cli login`,
    );
  }
  const said = [answer['detail'], answer['title']].find((text) => typeof text === 'string');
  throw new OidcTokenError(
    'refresh_failed',
    `${api} gave no token for the project ${link.projectId}: ${String(said ?? `status ${status}`).slice(0, 500)}`,
  );
}

/** Off a developer's machine nobody means to link anything: there the token itself is what is missing. */
function withoutAnySource(error: unknown, names: Names): unknown {
  if (!(error instanceof OidcTokenError) || error.code !== 'not_linked') return error;
  return new OidcTokenError(
    'no_token',
    `There is no workload token: neither ${names.tokenFileVariable} nor ${names.tokenVariable} is set, and no ` +
      `request with ${names.tokenHeader} is being answered. ${error.message}`,
    { cause: error },
  );
}
