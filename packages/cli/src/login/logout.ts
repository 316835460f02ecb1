import { Command } from 'commander';
import { addFormat } from '../format-option.ts';
import { printAnswer, type FormatOption, type Terminal } from '../terminal.ts';
import { createStoredLogin } from './stored-login.ts';

/** `logout`: ends the login at the instance and deletes it here. */
export function createLogout(terminal: Terminal): Command {
  return addFormat(new Command('logout'))
    .description('end the login, here and at the instance')
    .action(async (options: FormatOption) => {
      const { origin } = await createStoredLogin(terminal).end();
      printAnswer(terminal, options, { origin }, `Logged out at ${origin}`);
    });
}
