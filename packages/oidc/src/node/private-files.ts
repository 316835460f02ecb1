import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { OidcTokenError, show } from '../errors.ts';

// Windows has no such bits: its user folders are the user's own.
const ownerId = process.getuid?.();

/** Where programs keep the data of this user: `XDG_DATA_HOME`, or what the system has for it. */
export function findDataFolder(): string {
  const { XDG_DATA_HOME: chosen, APPDATA: roaming } = process.env;
  if (chosen !== undefined && isAbsolute(chosen)) return chosen;
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support');
  if (process.platform === 'win32') return roaming ?? join(homedir(), 'AppData', 'Roaming');
  return join(homedir(), '.local', 'share');
}

/**
 * The content of a file that nobody but its owner can read; undefined when there is none.
 *
 * @throws {OidcTokenError} `file_not_private`: it is a link, another user's, or open to others
 */
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
      if ((mode & 0o077) !== 0)
        throw notPrivate(path, 'can be read by others: chmod 600 it, or log in again');
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Replaces a file as a whole, mode 0600, in a folder of this user alone, 0700. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  await makePrivateFolder(dirname(path));
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(content);
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
  if (!found.isDirectory()) throw notPrivate(folder, 'is a link or a file');
  if (ownerId === undefined) return;
  if (found.uid !== ownerId) throw notPrivate(folder, 'belongs to another user');
  // It may have been there before, with what the umask of whoever made it allowed.
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

function notPrivate(path: string, problem: string, cause?: unknown): OidcTokenError {
  return new OidcTokenError('file_not_private', `${show(path)} ${problem}.`, { cause });
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
