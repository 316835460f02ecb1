import { createClient } from '@tessera/contract';
import { Command } from 'commander';
import { CommandError, show } from '../errors.ts';
import { addFormat } from '../format-option.ts';
import { printAnswer, type FormatOption, type Terminal } from '../terminal.ts';
import { logInByDevice } from './device.ts';
import { discover, parseBaseUrl } from './instance.ts';
import { logInByLoopback } from './loopback.ts';
import { openBrowser } from './open-browser.ts';
import { createStoredLogin, readClientId } from './stored-login.ts';

type Options = FormatOption & { url: string; device?: true; browser: boolean };

/** `login --url URL`: from here on commands and packages on this machine act for the person. */
export function createLogin(terminal: Terminal): Command {
  return addFormat(new Command('login'))
    .description('log in at an instance')
    .requiredOption('--url <origin>', 'the address of the instance, such as https://id.example.com')
    .option('--device', 'show a code to enter in a browser on another machine')
    .option('--no-browser', 'show the address and open nothing')
    .action(async (options: Options) => {
      const parsed = parseBaseUrl(options.url);
      if ('problem' in parsed) {
        throw new CommandError(
          'url_invalid',
          `--url is ${show(options.url)}, which ${parsed.problem}.`,
          'Give the https address of the instance (http counts on this machine alone).',
        );
      }
      const metadata = await discover(parsed.url);
      const clientId = readClientId(terminal);
      const login = options.device
        ? await logInByDevice(metadata, clientId, (address, code) =>
            terminal.tell(`Open ${address} and enter the code ${code}`),
          )
        : await logInByLoopback(metadata, clientId, (address) => {
            const isOpening = options.browser && openBrowser(terminal, address);
            const what = isOpening ? 'If no browser opens, open' : 'Open';
            terminal.tell(`${what} this address in a browser on this machine:\n${address}`);
          });
      const stored = createStoredLogin(terminal);
      await stored.keep(metadata, login);
      const { user } = await createClient({ baseUrl: metadata.api, token: login.token })('users.get');
      printAnswer(
        terminal,
        options,
        { email: user.email, origin: metadata.origin },
        `Logged in at ${metadata.origin} as ${user.email}`,
      );
    });
}
