import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { CommandError, show } from '../errors.ts';
import { readWirePrefix, type Terminal } from '../terminal.ts';

// Much of this is in packages/oidc too, which is published with jose alone and does not open its files to others.

// Windows has no such bits: its user folders are the user's own.
const ownerId = process.getuid?.();

/** `{user data}/com.{prefix}.cli`: the place where the packages look for the login. */
export function findLoginFolder(terminal: Pick<Terminal, 'environment'>): string {
  const { XDG_DATA_HOME: chosen, APPDATA: roaming } = terminal.environment;
  const name = `com.${readWirePrefix(terminal)}.cli`;
  if (chosen !== undefined && isAbsolute(chosen)) return join(chosen, name);
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', name);
  if (process.platform === 'win32') {
    const data = roaming ?? join(homedir(), 'AppData', 'Roaming');
    return chosen === undefined ? join(data, name, 'Data') : join(data, name);
  }
  return join(homedir(), '.local', 'share', name);
}

/** The content of a file that nobody but its owner can read; undefined when there is none. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw notPrivate(path, codeOf(error) === 'ELOOP' ? 'is a link' : 'cannot be read', error);
  }
  try {
    const { uid, mode } = await file.stat();
    if (ownerId !== undefined) {
      if (uid !== ownerId) throw notPrivate(path, 'belongs to another user');
      if ((mode & 0o077) !== 0) throw notPrivate(path, 'can be read by others; expected mode 0600');
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Replaces a file as a whole, mode 0600, in a folder of this user alone, 0700. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  await makePrivateFolder(dirname(path));
  await replaceFile(path, Buffer.from(content), 0o600);
}

/** Replaces a file as a whole: whoever reads it sees what was there before, or all of what is there now. */
export async function replaceFile(path: string, content: Uint8Array, mode: number): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', mode);
    try {
      await file.writeFile(content);
      // The umask may have taken bits away that the file had before.
      await file.chmod(mode);
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** A folder of this user alone, 0700. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory()) throw notPrivate(folder, 'is a link or a file; expected a folder');
  if (ownerId === undefined) return;
  if (found.uid !== ownerId) throw notPrivate(folder, 'belongs to another user');
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

function notPrivate(path: string, problem: string, cause?: unknown): CommandError {
  return new CommandError('file_not_private', `${show(path)} ${problem}.`, 'Remove it and log in again.', {
    cause,
  });
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
