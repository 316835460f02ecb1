import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OidcTokenError, show } from '../errors.ts';

export type ProjectLink = { projectId: string; teamId: string | undefined };

/**
 * What `tessera-cli link` wrote: `.vercel/project.json` (the folder is named by the wire prefix), here or in the nearest
 * folder above. It came with the code, so it says which project and nothing else: no address is taken from it.
 *
 * @throws {OidcTokenError} `not_linked`
 */
export async function findProjectLink(prefix: string, given: Partial<ProjectLink>): Promise<ProjectLink> {
  if (given.projectId !== undefined) return checkLink(given, 'The option projectId');
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const path = join(folder, `.${prefix}`, 'project.json');
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) {
      const link = checkLink(parseLink(text, path), path);
      return { ...link, teamId: given.teamId ?? link.teamId };
    }
    if (folder === dirname(folder)) break;
  }
  throw new OidcTokenError(
    'not_linked',
    `No folder from ${show(process.cwd())} upwards is linked to a project (.${prefix}/project.json). Run: tessera-cli link`,
  );
}

function parseLink(text: string, path: string): { projectId?: string; teamId?: string } {
  try {
    const { projectId, orgId } = JSON.parse(text) as { projectId?: string; orgId?: string };
    return {
      ...(projectId === undefined ? {} : { projectId }),
      ...(orgId === undefined ? {} : { teamId: orgId }),
    };
  } catch (cause) {
    throw new OidcTokenError('not_linked', `${show(path)} is not JSON. Run: tessera-cli link`, { cause });
  }
}

/** Both become part of an address: nothing that could lead elsewhere in it. */
function checkLink({ projectId, teamId }: Partial<ProjectLink>, where: string): ProjectLink {
  const isName = (value: unknown): value is string =>
    typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value);
  if (!isName(projectId) || (teamId !== undefined && !isName(teamId))) {
    throw new OidcTokenError(
      'not_linked',
      `${where} names the project ${show(projectId)} of the team ${show(teamId)}, which are no ids. Run: tessera-cli link`,
    );
  }
  return { projectId, teamId };
}
