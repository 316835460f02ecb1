import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { CommandError, show } from '../errors.ts';

/** JSON as it is given, from a file (`@FILE`), or from the standard input (`-`). */
export async function readBody(given: string, folder: string): Promise<unknown> {
  const json =
    given === '-'
      ? await text(process.stdin)
      : given.startsWith('@')
        ? (await readGiven(resolve(folder, given.slice(1)))).toString()
        : given;
  try {
    return JSON.parse(json);
  } catch {
    // It may hold a secret, and JSON.parse repeats it.
    throw new CommandError(
      'data_invalid',
      `--data is no JSON.`,
      'Give an object, such as \'{"name":"shop"}\'.',
    );
  }
}

/** A file that is sent as it is. */
export async function readUpload(
  { file, type }: Record<string, string | boolean | undefined>,
  folder: string,
): Promise<{ type: string; bytes: Uint8Array<ArrayBuffer> }> {
  const bytes = await readGiven(resolve(folder, String(file)));
  return { type: String(type), bytes: new Uint8Array(bytes) };
}

async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CommandError('file_unreadable', `${show(path)} cannot be read.`, 'Name another file.', {
      cause,
    });
  }
}
