import { createHmac, hash, hkdfSync, timingSafeEqual } from 'node:crypto';
import { CompactEncrypt, compactDecrypt } from 'jose';

/**
 * What the master key is used for. Each purpose has a key of its own (HKDF-SHA-256, RFC 5869), so that a sealed
 * value of one purpose is nothing for another.
 */
export type Sealing = {
  /**
   * Encrypts for storage (JWE compact, `dir` with A256GCM, RFC 7516). `context` says where the value belongs, for
   * example a row's id: opened in another place, it fails.
   */
  seal(purpose: string, plaintext: string, context: string): Promise<string>;
  /** Opens what `seal` made. Throws when the key, the purpose, the context or the value is another. */
  open(purpose: string, sealed: string, context: string): Promise<string>;
  /** HMAC-SHA-256 as base64url, for values that we give out and recognise later. */
  mac(purpose: string, message: string): string;
};

/** `masterKey` is 32 random bytes that live outside the database. */
export function createSealing(masterKey: Uint8Array): Sealing {
  const keys = new Map<string, Uint8Array>();
  const keyFor = (purpose: string): Uint8Array => {
    let key = keys.get(purpose);
    if (key === undefined) {
      key = new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(), `tessera:${purpose}`, 32));
      keys.set(purpose, key);
    }
    return key;
  };

  return {
    seal: (purpose, plaintext, context) =>
      new CompactEncrypt(new TextEncoder().encode(plaintext))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ctx: context })
        .encrypt(keyFor(`seal:${purpose}`)),

    async open(purpose, sealed, context) {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, keyFor(`seal:${purpose}`), {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      if (protectedHeader['ctx'] !== context) throw new Error('the sealed value belongs to another place');
      return new TextDecoder().decode(plaintext);
    },

    mac: (purpose, message) =>
      createHmac('sha256', keyFor(`mac:${purpose}`))
        .update(message)
        .digest('base64url'),
  };
}

/** SHA-256 as base64url. Only for secrets that a machine made with 128 bits or more; passwords go to `#passwords`. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/**
 * Compares without telling by its time how much was alike; of different lengths, they may be told apart. What is
 * compared with every request may be kept in bytes (UTF-8).
 */
export function equalInConstantTime(one: string | Uint8Array, other: string): boolean {
  const [left, right] = [typeof one === 'string' ? Buffer.from(one) : one, Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
