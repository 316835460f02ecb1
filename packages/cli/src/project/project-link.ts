import { lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CommandError, show } from '../errors.ts';
import { codeOf } from '../login/index.ts';
import { readWirePrefix, type Terminal } from '../terminal.ts';
import { ignoreInGit } from './git-ignore.ts';
import { readOwnFile, replaceOwnFile } from './own-file.ts';

/** `.vercel/project.json`, in the shape that tools know: `orgId` is the team. */
export type ProjectLink = { projectId: string; orgId: string };

const readme = (folder: string): string => `This folder links the code to a project of a Tessera instance.

project.json holds the ids of the project (projectId) and of its team (orgId), and nothing secret.
Do not commit the folder: ${folder} is in .gitignore, and everybody links their own copy.
`;

export async function writeProjectLink(
  terminal: Terminal,
  link: ProjectLink & { projectName: string },
): Promise<void> {
  const name = `.${readWirePrefix(terminal)}`;
  const folder = join(terminal.folder, name);
  await mkdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  if (!(await lstat(folder)).isDirectory()) {
    throw new CommandError(
      'file_not_plain',
      `${show(folder)} is a link or a file; expected a folder, or nothing.`,
      'Remove it and link again.',
    );
  }
  await ignoreInGit(terminal.folder, name);
  for (const [file, text] of [
    ['project.json', JSON.stringify(link)],
    ['README.txt', readme(name)],
  ] as const) {
    const path = join(folder, file);
    await readOwnFile(path);
    await replaceOwnFile(path, Buffer.from(text), 0o644);
  }
}

/** The link of this folder or of the nearest one above. It says which project, and nothing else is taken from it. */
export async function findProjectLink(terminal: Terminal): Promise<ProjectLink & { folder: string }> {
  const name = `.${readWirePrefix(terminal)}`;
  for (let folder = terminal.folder; ; folder = dirname(folder)) {
    const path = join(folder, name, 'project.json');
    const file = await readOwnFile(path);
    if (file !== undefined) return { ...checkLink(file.content.toString(), path), folder };
    if (folder === dirname(folder)) break;
  }
  throw notLinked(`No folder from ${show(terminal.folder)} upwards is linked (${name}/project.json).`);
}

function checkLink(text: string, path: string): ProjectLink {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch (cause) {
    throw notLinked(`${show(path)} is not JSON.`, cause);
  }
  const { projectId, orgId } = (said ?? {}) as Record<string, unknown>;
  if (isId(projectId) && isId(orgId)) return { projectId, orgId };
  throw notLinked(`${show(path)} names the project ${show(projectId)} of ${show(orgId)}; expected two ids.`);
}

const isId = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value);

function notLinked(detail: string, cause?: unknown): CommandError {
  return new CommandError('not_linked', detail, 'Run: tessera-cli link <project> --team <team>', { cause });
}
