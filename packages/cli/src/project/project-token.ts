import { Command, Option } from 'commander';
import type { FormatOption, Terminal } from '../terminal.ts';
import { mintDevelopmentToken } from './mint.ts';
import { findProjectLink } from './project-link.ts';

/** `project token [NAME]`: the token alone, also for a program (`$(…)`); as JSON only where that is asked for. */
export function createProjectToken(terminal: Terminal): Command {
  return new Command('token')
    .description('print a development token of a project')
    .argument('[project]', 'name or id of the project (default: the linked one)')
    .option('--team <team>', 'slug or id of its team (default: that of the linked project)')
    .addOption(new Option('--format <format>', 'how to print it (default: text)').choices(['json', 'text']))
    .addOption(new Option('--json', 'the same as --format json').conflicts('format'))
    .action(async (project: string | undefined, { format, json, team }: FormatOption & { team?: string }) => {
      const link = project === undefined || team === undefined ? await findProjectLink(terminal) : undefined;
      const token = await mintDevelopmentToken(terminal, {
        idOrName: project ?? link?.projectId ?? '',
        team: team ?? link?.orgId ?? '',
      });
      terminal.print(json || format === 'json' ? JSON.stringify({ token }) : token);
    });
}
