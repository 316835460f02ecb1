import { readFileSync } from 'node:fs';
import { TrustInputRefused } from './condition.ts';

/** @throws {TrustInputRefused} when it cannot be read; the message has nothing of what is in it */
export function readTextFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new TrustInputRefused(
      `'${file}' could not be read (${code}); expected a file, or - for the standard input.`,
    );
  }
}
