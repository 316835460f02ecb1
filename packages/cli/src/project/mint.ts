import { createClient } from '@tessera/contract';
import { CommandError } from '../errors.ts';
import { createStoredLogin } from '../login/index.ts';
import type { Terminal } from '../terminal.ts';

/** A development token of a project, by the login of this machine. */
export async function mintDevelopmentToken(
  terminal: Terminal,
  project: { idOrName: string; team: string; audience?: string | undefined },
): Promise<string> {
  const { instance, token } = await createStoredLogin(terminal).use();
  const minted = await createClient({ baseUrl: instance.api, token })('tokens.mint', {
    params: { idOrName: project.idOrName },
    query: { teamId: project.team, source: 'tessera-cli' },
    ...(project.audience === undefined ? {} : { body: { audience: project.audience } }),
  });
  // It is written into files and read by shells: nothing but what a JWT is made of.
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(minted.token)) return minted.token;
  throw new CommandError(
    'token_invalid',
    `The answer of ${instance.api} is no JWT; expected three parts in base64url.`,
    'Check that the address is that of a Tessera instance.',
  );
}
