import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config, ConfigProblem } from './config.ts';

const keyBytes = 32;

/**
 * The master key: 32 bytes that live outside the database. From the configuration, from a file that its owner alone
 * may read, or made on the first start. Answers a problem instead of a key that is unsafe or not one.
 */
export function readMasterKey(source: Config['masterKey']): Uint8Array | ConfigProblem {
  if (source.from === 'value') return decode(source.text) ?? notAKey('TESSERA_MASTER_KEY');
  const name = source.from === 'file' ? 'TESSERA_MASTER_KEY_FILE' : 'TESSERA_DATA';
  try {
    if (source.from === 'data') makeMissing(source.path);
    const { mode } = statSync(source.path);
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      return {
        name,
        problem: `${source.path} has mode ${octal}; others could read the key (chmod 600 ${source.path})`,
      };
    }
    return decode(readFileSync(source.path, 'utf8').trim()) ?? notAKey(name);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const what = source.from === 'data' ? 'made or read' : 'read';
    return { name, problem: `${source.path} cannot be ${what} (${reason})` };
  }
}

function notAKey(name: string): ConfigProblem {
  return { name, problem: `is not 32 bytes as base64url, base64 or hex (openssl rand -base64 32 makes one)` };
}

function decode(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  const bytes = new Uint8Array(Buffer.from(text, 'base64url'));
  return bytes.length === keyBytes ? bytes : undefined;
}

/** Several processes may start together on an empty folder: the link succeeds for one, the others read its key. */
function makeMissing(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${randomBytes(keyBytes).toString('base64url')}\n`, { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft);
  }
}
