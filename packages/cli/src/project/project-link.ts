import { lstat, mkdir } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
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

/**
 * The link of this folder or of the nearest one above: `project.json`, or `repo.json` of a repository with several
 * projects. It says which project, and nothing else is taken from it.
 */
export async function findProjectLink(terminal: Terminal): Promise<ProjectLink & { folder: string }> {
  const name = `.${readWirePrefix(terminal)}`;
  for (let folder = terminal.folder; ; folder = dirname(folder)) {
    const path = join(folder, name, 'project.json');
    const file = await readOwnFile(path);
    if (file !== undefined) return { ...checkLink(parseLink(file.content, path), path), folder };
    const ofRepository = await readOwnFile(join(folder, name, 'repo.json'));
    if (ofRepository !== undefined) {
      const from = relative(folder, terminal.folder);
      return findInRepository(ofRepository.content, { folder, path: join(folder, name, 'repo.json'), from });
    }
    if (folder === dirname(folder)) break;
  }
  throw notLinked(`No folder from ${show(terminal.folder)} upwards is linked (${name}/project.json).`);
}

/** The project whose directory the command runs in: the innermost, where one lies in another. */
function findInRepository(
  content: Buffer,
  { folder, path, from }: { folder: string; path: string; from: string },
): ProjectLink & { folder: string } {
  const { projects, orgId: ofAll } = parseLink(content, path);
  if (!Array.isArray(projects)) throw notLinked(`${show(path)} has no list of projects.`);
  const here = from.split(sep).join('/');
  const entries = projects.map((entry: unknown) => {
    const { id, orgId = ofAll, directory } = (entry ?? {}) as Record<string, unknown>;
    if (typeof directory === 'string') return { id, orgId, directory: directoryOf(directory) };
    throw notLinked(`${show(path)} has a project with the directory ${show(directory)}; expected a text.`);
  });
  const around = entries.filter(
    ({ directory }) => directory === '' || here === directory || here.startsWith(`${directory}/`),
  );
  const longest = Math.max(...around.map(({ directory }) => directory.length));
  const [found, second] = around.filter(({ directory }) => directory.length === longest);
  if (found === undefined || second !== undefined) {
    const named = entries.map(({ directory }) => show(directory || '.')).join(', ');
    throw new CommandError(
      'not_linked',
      `${show(path)} links ${named}; the command runs in ${show(here || '.')}, which is ${second === undefined ? 'in none of them' : 'the place of several'}.`,
      'Run it in the directory of the project, or name the project.',
    );
  }
  const link = checkLink({ projectId: found.id, orgId: found.orgId }, path);
  return { ...link, folder: join(folder, found.directory) };
}

/** As the file has it, without `./` and slashes at its end; `.` is the repository itself. */
function directoryOf(directory: string): string {
  return directory
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function parseLink(content: Buffer, path: string): Record<string, unknown> {
  try {
    return (JSON.parse(content.toString()) ?? {}) as Record<string, unknown>;
  } catch (cause) {
    throw notLinked(`${show(path)} is not JSON.`, cause);
  }
}

function checkLink({ projectId, orgId }: Record<string, unknown>, path: string): ProjectLink {
  if (isId(projectId) && isId(orgId)) return { projectId, orgId };
  throw notLinked(`${show(path)} names the project ${show(projectId)} of ${show(orgId)}; expected two ids.`);
}

const isId = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value);

function notLinked(detail: string, cause?: unknown): CommandError {
  return new CommandError('not_linked', detail, 'Run: tessera-cli link <project> --team <team>', { cause });
}
