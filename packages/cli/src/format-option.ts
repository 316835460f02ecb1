import { Option, type Command } from 'commander';

/** `--format`: what a command prints; for a program (no terminal) it is JSON unless this says otherwise. */
export function addFormat(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--format <format>',
        'how to print the answer (default: text on a terminal, else json)',
      ).choices(['json', 'text']),
    )
    .addOption(new Option('--json', 'the same as --format json').conflicts('format'));
}
