import { lstat, readFile } from 'node:fs/promises';
import { CommandError, show } from '../errors.ts';
import { codeOf, replaceFile } from '../login/index.ts';

/** A plain file of the project. A link is refused: the code that it came with would choose what is written to. */
export async function readOwnFile(path: string): Promise<{ content: Buffer; mode: number } | undefined> {
  let found;
  try {
    found = await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (!found.isFile()) {
    throw new CommandError(
      'file_not_plain',
      `${show(path)} is a link or a folder; expected a plain file, or none.`,
      'Remove it, or name another file.',
    );
  }
  return { content: await readFile(path), mode: found.mode & 0o777 };
}

/** Replaces a file of the project as a whole. */
export async function replaceOwnFile(path: string, content: Uint8Array, mode: number): Promise<void> {
  try {
    await replaceFile(path, content, mode);
  } catch (cause) {
    throw new CommandError(
      'file_not_written',
      `${show(path)} cannot be written (${codeOf(cause) ?? 'unknown'}).`,
      'Check that its folder is there and may be written to.',
      { cause },
    );
  }
}
