import { getOidcToken, OidcTokenError } from '@tessera/oidc';
import { wireNames } from '@tessera/protocol';
import { CommandError } from '../errors.ts';
import { createStoredLogin } from '../login/index.ts';
import { findProjectLink, mintDevelopmentToken } from '../project/index.ts';
import { readWirePrefix, type Terminal } from '../terminal.ts';
import { askRuntime } from './runtime-endpoint.ts';
import type { ReceivedToken } from './token-format.ts';

export type SourceOptions = {
  audience?: string | undefined;
  endpoint?: string;
  secretFile?: string;
  project?: string;
  team?: string;
};

/** The token of the workload that this runs in: beside a deployment, in a build, on a developer's machine. */
export async function findWorkloadToken(terminal: Terminal, options: SourceOptions): Promise<ReceivedToken> {
  const { environment } = terminal;
  const { audience, project, team } = options;
  const endpoint = options.endpoint ?? environment['TESSERA_WORKLOAD_ENDPOINT'];
  if (endpoint !== undefined && endpoint !== '') {
    const secretFile = options.secretFile ?? environment['TESSERA_WORKLOAD_SECRET_FILE'];
    return askRuntime({ endpoint, secretFile, secret: environment['TESSERA_WORKLOAD_SECRET'], audience });
  }
  const prefix = readWirePrefix(terminal);
  const { oidcTokenEnvironment, oidcTokenFileEnvironment } = wireNames(prefix);
  if (project === undefined && (environment[oidcTokenFileEnvironment] || environment[oidcTokenEnvironment])) {
    const oidcUrl = audience === undefined ? undefined : await findExchange(terminal);
    return withEnd(await getOidcToken({ wirePrefix: prefix, audience, oidcUrl }).catch(refused));
  }
  const link = project === undefined || team === undefined ? await findProjectLink(terminal) : undefined;
  return withEnd(
    await mintDevelopmentToken(terminal, {
      idOrName: project ?? link?.projectId ?? '',
      team: team ?? link?.orgId ?? '',
      audience,
    }),
  );
}

/** Where a token is exchanged, if the environment does not say it: at the instance of the login, if there is one. */
async function findExchange(terminal: Terminal): Promise<string | undefined> {
  const { TESSERA_OIDC_URL: oidc, TESSERA_PUBLIC_URL: publicUrl } = terminal.environment;
  if (oidc || publicUrl) return undefined;
  return createStoredLogin(terminal)
    .where()
    .then((instance) => instance.oidc)
    .catch((error: unknown) => {
      if (error instanceof CommandError && error.code === 'not_logged_in') return undefined;
      throw error;
    });
}

/** When it ends, as it says itself: it is not verified here, but by whoever it is for. */
function withEnd(token: string): ReceivedToken {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    const { exp } = JSON.parse(payload) as { exp?: unknown };
    if (typeof exp === 'number') return { token, expiresAt: exp * 1000 };
  } catch {
    // The content may be a secret, and JSON.parse repeats it.
  }
  throw new CommandError(
    'token_invalid',
    'What was received as a token does not say when it ends; expected a JWT with "exp".',
    'Check what sets the variable, or which instance answered.',
  );
}

function refused(error: unknown): never {
  if (!(error instanceof OidcTokenError)) throw error;
  throw new CommandError(
    error.code,
    error.message,
    'Have the variable set anew, or unset it to use the endpoint or the login.',
    { exitStatus: error.code === 'not_logged_in' ? 3 : 1, cause: error },
  );
}
