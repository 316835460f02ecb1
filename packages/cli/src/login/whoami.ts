import { createClient } from '@tessera/contract';
import { Command } from 'commander';
import { addFormat } from '../format-option.ts';
import { printAnswer, type FormatOption, type Terminal } from '../terminal.ts';
import { createStoredLogin } from './stored-login.ts';

/** `whoami`: asked of the instance, so that a login that has ended is not shown as one. */
export function createWhoami(terminal: Terminal): Command {
  return addFormat(new Command('whoami'))
    .description('show who is logged in, and where')
    .action(async (options: FormatOption) => {
      const { instance, token } = await createStoredLogin(terminal).use();
      const { user } = await createClient({ baseUrl: instance.api, token })('users.get');
      const { id, email, name } = user;
      printAnswer(
        terminal,
        options,
        { id, email, name, origin: instance.origin },
        `${email} at ${instance.origin}`,
      );
    });
}
