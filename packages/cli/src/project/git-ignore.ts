import { join } from 'node:path';
import { CommandError, show } from '../errors.ts';
import { readOwnFile, replaceOwnFile } from './own-file.ts';

/** Adds a name to the `.gitignore` of a folder, unless its last word on it is that it is ignored. */
export async function ignoreInGit(folder: string, name: string): Promise<void> {
  // A name that git would read as a pattern would not ignore the file.
  if (!/^[\w.-]+$/.test(name)) {
    throw new CommandError(
      'name_invalid',
      `${show(name)} cannot be written into .gitignore as it is; expected letters, digits, '.', '_' and '-'.`,
      'Choose another name for the file.',
    );
  }
  const path = join(folder, '.gitignore');
  const file = await readOwnFile(path);
  const text = file?.content.toString('latin1') ?? '';
  let isIgnored = false;
  for (const line of text.split(/\r\n|\n/)) {
    const pattern = line.trimEnd();
    if (matches(pattern.replace(/^!/, ''), name)) isIgnored = !pattern.startsWith('!');
  }
  if (isIgnored) return;
  const eol = /\r\n|\n/.exec(text)?.[0] ?? '\n';
  const gap = text === '' || text.endsWith('\n') ? '' : eol;
  await replaceOwnFile(path, Buffer.from(`${text}${gap}${name}${eol}`, 'latin1'), file?.mode ?? 0o644);
}

function matches(pattern: string, name: string): boolean {
  if (pattern === '' || pattern.startsWith('#')) return false;
  const plain = pattern.replace(/^\//, '');
  // What has more to it than stars is taken as no match: a name too many in the file does no harm.
  if (!/^[\w.*-]+\/?$/.test(plain)) return false;
  // Such a pattern ignores folders alone.
  if (plain.endsWith('/')) return false;
  const expression = plain.replaceAll('.', '\\.').replaceAll(/\*+/g, '.*');
  return new RegExp(`^${expression}$`).test(name);
}
