import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, makePrivateFolder } from './private-files.ts';

// The same lock as in packages/oidc, which does not open its files to others.
// A lock is a folder with one file in it, whose random name says whose it is and whose time says that they still work.
// The folder comes with its file by one rename, which goes onto nothing or onto an empty folder, never onto a lock; and
// who removes a file by its name removes the lock of that one holder, or nothing.

/** `abandonedMs` is more than the work under a lock takes, also of a holder that cannot touch it for a while. */
const usual = { touchMs: 5_000, abandonedMs: 60_000, retryMs: 50 };

/**
 * Lets one process at a time work on a file, also against the packages, which use the same lock. A lock whose process
 * has gone is taken over.
 */
export async function withLock<Value>(
  path: string,
  work: () => Promise<Value>,
  { touchMs, abandonedMs, retryMs } = usual,
): Promise<Value> {
  const [lock, name] = [`${path}.lock`, randomBytes(16).toString('hex')];
  await makePrivateFolder(dirname(path));
  for (;;) {
    const holder = await findHolder(lock);
    if (holder === undefined) {
      if (await take(lock, name)) break;
    } else if (Math.abs(Date.now() - holder.touchedAt) > abandonedMs) {
      await release(lock, holder.name);
    }
    await sleep(retryMs);
  }
  const touching = setInterval(() => {
    const now = new Date();
    // It may have been taken from a process that was stopped: then there is nothing to touch.
    utimes(join(lock, name), now, now).catch(() => undefined);
  }, touchMs);
  touching.unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    await release(lock, name);
  }
}

async function findHolder(lock: string): Promise<{ name: string; touchedAt: number } | undefined> {
  try {
    const [name] = await readdir(lock);
    if (name !== undefined) return { name, touchedAt: (await stat(join(lock, name))).mtimeMs };
    // Windows renames no folder onto another one, empty or not.
    await rmdir(lock).catch(() => undefined);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return undefined;
}

async function take(lock: string, name: string): Promise<boolean> {
  const draft = `${lock}.${name}`;
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(join(draft, name), '', { flag: 'wx', mode: 0o600 });
    await rename(draft, lock);
    return true;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const code = codeOf(error) ?? '';
    const isHeld = ['ENOTEMPTY', 'EEXIST', ...(process.platform === 'win32' ? ['EPERM', 'EACCES'] : [])];
    if (isHeld.includes(code)) return false;
    throw error;
  }
}

/** Removes the lock of this holder. Another's stays: its folder is not empty. */
async function release(lock: string, name: string): Promise<void> {
  await rm(join(lock, name), { force: true }).catch(() => undefined);
  await rmdir(lock).catch(() => undefined);
}
