import { readFile } from 'node:fs/promises';
import { OidcTokenError, show } from '../errors.ts';
import type { Names } from '../settings.ts';

/** Reads the file anew each time: whoever writes it replaces it before the token expires. */
export async function readTokenFile(path: string, names: Names): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new OidcTokenError(
      'token_file_unreadable',
      `${names.tokenFileVariable} names ${show(path)}, which cannot be read.`,
      { cause },
    );
  }
  if (text !== '') return text;
  throw new OidcTokenError(
    'token_file_unreadable',
    `${names.tokenFileVariable} names ${show(path)}, which is empty.`,
  );
}
