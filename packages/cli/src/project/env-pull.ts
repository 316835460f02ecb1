import { basename, dirname, join, relative, resolve } from 'node:path';
import { realpath } from 'node:fs/promises';
import { Command } from 'commander';
import { addFormat } from '../format-option.ts';
import { printAnswer, readWirePrefix, type FormatOption, type Terminal } from '../terminal.ts';
import { setVariable } from './environment-file.ts';
import { ignoreInGit } from './git-ignore.ts';
import { mintDevelopmentToken } from './mint.ts';
import { readOwnFile, replaceOwnFile } from './own-file.ts';
import { findProjectLink } from './project-link.ts';

/** `env pull [FILE]`: a development token for programs on this machine; the rest of the file stays to the byte. */
export function createEnvPull(terminal: Terminal): Command {
  return addFormat(new Command('pull'))
    .description('write a development token of the linked project into a file')
    .argument('[file]', 'the file', '.env.local')
    .action(async (file: string, options: FormatOption) => {
      const link = await findProjectLink(terminal);
      const path = resolve(terminal.folder, file);
      const variable = `${readWirePrefix(terminal).replaceAll('-', '_').toUpperCase()}_OIDC_TOKEN`;
      // What cannot be written is found before a token is made for it.
      await readOwnFile(path);
      const token = await mintDevelopmentToken(terminal, { idOrName: link.projectId, team: link.orgId });
      const folder = await realpath(dirname(path));
      const isInside = !relative(await realpath(link.folder), folder).startsWith('..');
      if (isInside) await ignoreInGit(folder, basename(path));
      const before = await readOwnFile(path);
      await replaceOwnFile(
        join(folder, basename(path)),
        setVariable(before?.content, variable, token),
        0o600,
      );
      printAnswer(terminal, options, { file: path, variable }, `Wrote ${variable} to ${path}`);
    });
}
