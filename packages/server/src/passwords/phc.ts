/** What an argon2id hash was made with. `memory` in KiB. */
export type Argon2Parameters = { memory: number; passes: number; parallelism: number };

/** A stored password hash, taken apart. */
export type PasswordHash = Argon2Parameters & { salt: Buffer; tag: Buffer };

const phcPattern =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Writes a hash as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$tag`), the form other software reads. */
export function formatPasswordHash(hash: PasswordHash): string {
  const parameters = `m=${hash.memory},t=${hash.passes},p=${hash.parallelism}`;
  return `$argon2id$v=19$${parameters}$${unpadded(hash.salt)}$${unpadded(hash.tag)}`;
}

/** Reads a PHC string of argon2id, version 1.3. Undefined for anything else. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = phcPattern.exec(text);
  if (!match) return undefined;
  const [, memory, passes, parallelism, salt, tag] = match;
  if (salt === undefined || tag === undefined) return undefined;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
