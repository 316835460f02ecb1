import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { CommandError } from '../errors.ts';
import { readOwnFile, replaceOwnFile } from '../project/index.ts';
import { describeFailure, type Terminal } from '../terminal.ts';
import { findWorkloadToken, type SourceOptions } from './sources.ts';
import { failureIn, tokenFormats, writtenAs, type ReceivedToken, type TokenFormat } from './token-format.ts';

type Options = SourceOptions & { format?: TokenFormat; json?: true; file?: string; keep?: true };

const shortestWaitMs = 5_000;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/** `workload token`: the token alone, for programs; or a file that they read, kept fresh. */
export function createWorkloadToken(terminal: Terminal): Command {
  return new Command('token')
    .description('print the workload token of where this runs, or keep it in a file')
    .option('--audience <audience>', 'for whom (default: the team’s own audience)')
    .addOption(new Option('--format <format>', 'how to write it (default: text)').choices(tokenFormats))
    .addOption(new Option('--json', 'the same as --format json').conflicts('format'))
    .option('--file <file>', 'write it into this file, as a whole and for you alone, and print nothing')
    .option('--keep', 'with --file: stay, and write a new one well before it expires')
    .option('--endpoint <place>', 'unix:/path or http://127.0.0.1:PORT (default: TESSERA_WORKLOAD_ENDPOINT)')
    .option(
      '--secret-file <file>',
      'the workload secret (default: TESSERA_WORKLOAD_SECRET_FILE, or TESSERA_WORKLOAD_SECRET)',
    )
    .option('--project <project>', 'on your own machine: name or id of the project (default: the linked one)')
    .option('--team <team>', 'on your own machine: slug or id of its team')
    .addHelpText(
      'after',
      `
The first of these that there is decides:
  the endpoint beside a running deployment  --endpoint, TESSERA_WORKLOAD_ENDPOINT
  what a build or a process was given       VERCEL_OIDC_TOKEN_FILE, VERCEL_OIDC_TOKEN
  the login on your own machine             tessera-cli login: a development token

Examples:
  tessera-cli workload token --audience sts.amazonaws.com
  tessera-cli workload token --audience api://AzureADTokenExchange --file "$AZURE_FEDERATED_TOKEN_FILE" --keep
  tessera-cli workload token --format google-executable`,
    )
    .action(async (options: Options) => {
      const format = options.json ? 'json' : (options.format ?? 'text');
      try {
        await hand(terminal, format, options);
      } catch (error) {
        if (format === 'google-executable') terminal.print(failureIn(describeFailure(error)));
        throw error;
      }
    });
}

async function hand(terminal: Terminal, format: TokenFormat, options: Options): Promise<void> {
  const { file, keep } = options;
  if (keep && file === undefined) {
    throw new CommandError('options_conflict', '--keep was given without --file.', 'Name the file to keep.');
  }
  const { GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE: audienceOfLibrary, GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE: cache } =
    terminal.environment;
  const isForLibrary = format === 'google-executable';
  const audience = options.audience ?? (isForLibrary ? audienceOfLibrary : undefined);
  const find = (): Promise<ReceivedToken> => findWorkloadToken(terminal, { ...options, audience });
  const paths = [file, isForLibrary ? cache : undefined]
    .filter((path) => path !== undefined && path !== '')
    .map((path) => resolve(terminal.folder, path as string));
  // What cannot be written is found before a token is made for it.
  for (const path of paths) await readOwnFile(path);
  const write = async (token: ReceivedToken): Promise<void> => {
    for (const path of paths) await replaceOwnFile(path, Buffer.from(writtenAs(format, token)), 0o600);
  };

  const token = await find();
  await write(token);
  if (file === undefined) return terminal.print(writtenAs(format, token));
  terminal.tell(`Wrote a token to ${file}, good until ${new Date(token.expiresAt).toISOString()}`);
  if (keep) await keepFresh(terminal, token, { find, write });
}

/**
 * Replaces the token when half of what is left of its life is over; until the process is ended. A renewal that fails is
 * told and tried again: the file has a good one meanwhile.
 */
async function keepFresh(
  terminal: Terminal,
  first: ReceivedToken,
  { find, write }: { find(): Promise<ReceivedToken>; write(token: ReceivedToken): Promise<void> },
): Promise<never> {
  let current = first;
  let retryMs = firstRetryMs;
  let waitMs = halfOfLife(current);
  for (;;) {
    await sleep(waitMs);
    try {
      current = await find();
      await write(current);
      retryMs = firstRetryMs;
      waitMs = halfOfLife(current);
    } catch (error) {
      const { code, detail } = describeFailure(error);
      terminal.tell(
        `Not renewed (${code}): ${detail} The token is good until ${new Date(current.expiresAt).toISOString()}.`,
      );
      waitMs = retryMs;
      retryMs = Math.min(retryMs * 2, longestRetryMs);
    }
  }
}

function halfOfLife({ expiresAt }: ReceivedToken): number {
  return Math.max((expiresAt - Date.now()) / 2, shortestWaitMs);
}
