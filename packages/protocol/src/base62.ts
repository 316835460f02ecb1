const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

// 62^8 is the largest power of 62 below 2^53: eight digits at a time stay exact in a number.
const CHUNK_DIGITS = 8;
const CHUNK = 62n ** 8n;

/** Random base62 characters, each of the 62 equally likely (bytes of 248 and more are thrown away). */
export function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    // A quarter more than needed: on average 3 % of the bytes are thrown away, so one round is the rule.
    const bytes = crypto.getRandomValues(new Uint8Array(length - text.length + (length >> 2) + 4));
    for (const byte of bytes) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
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
