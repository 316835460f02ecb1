import { createClient } from '@tessera/contract';
import { Command } from 'commander';
import { addFormat } from '../format-option.ts';
import { createStoredLogin } from '../login/index.ts';
import { findProjectLink } from '../project/index.ts';
import { printAnswer, type FormatOption, type Terminal } from '../terminal.ts';

/** `signin explain REFERENCE`: the reference is on the error page that somebody saw. */
export function createSignInExplain(terminal: Terminal): Command {
  return addFormat(new Command('explain'))
    .description('show step by step how a sign-in went, and where it stopped')
    .argument('<reference>', 'as the error page shows it')
    .option('--team <team>', 'slug or id of the team (default: that of the linked project)')
    .action(async (reference: string, options: FormatOption & { team?: string }) => {
      const { instance, token } = await createStoredLogin(terminal).use();
      const teamId = options.team ?? (await findProjectLink(terminal)).orgId;
      const call = createClient({ baseUrl: instance.api, token });
      const attempt = await call('sign-in-attempts.find', { query: { teamId, reference } });
      const steps = attempt.steps.map(
        ({ at, step, outcome, detail }) =>
          `${new Date(at).toISOString()}  ${outcome.padEnd(6)}  ${plain(step)}${detail === null ? '' : `: ${plain(detail)}`}`,
      );
      const title = `${attempt.kind} ${attempt.reference}: ${attempt.outcome}`;
      printAnswer(terminal, options, attempt, [title, ...steps].join('\n'));
    });
}

/** What a provider or a visitor said is among it: nothing that steers a terminal. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}
