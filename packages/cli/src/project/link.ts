import { createClient } from '@tessera/contract';
import { Command } from 'commander';
import { addFormat } from '../format-option.ts';
import { createStoredLogin } from '../login/index.ts';
import { printAnswer, type FormatOption, type Terminal } from '../terminal.ts';
import { writeProjectLink } from './project-link.ts';

/** `link PROJECT --team TEAM`: says which project the code in this folder is of. */
export function createLink(terminal: Terminal): Command {
  return addFormat(new Command('link'))
    .description('link this folder to a project')
    .argument('<project>', 'name or id of the project')
    .requiredOption('--team <team>', 'slug or id of its team')
    .action(async (project: string, options: FormatOption & { team: string }) => {
      const { instance, token } = await createStoredLogin(terminal).use();
      const call = createClient({ baseUrl: instance.api, token });
      const found = await call('projects.get', {
        params: { idOrName: project },
        query: { teamId: options.team },
      });
      const link = { projectId: found.id, orgId: found.teamId, projectName: found.name };
      await writeProjectLink(terminal, link);
      printAnswer(terminal, options, link, `Linked to ${found.name} (${found.id})`);
    });
}
