import { encodeBytesBase62, encodeNumberBase62, randomBase62 } from './base62.ts';
import { crc32 } from './crc32.ts';

// 62^43 is just above 2^256: 43 characters carry 256 bit.
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SHAPE = /^[a-z0-9]{1,8}_[0-9A-Za-z]{49}$/;

/**
 * A fresh opaque token: prefix (with its `_`), 43 base62 characters (256 bit of randomness), and 6 base62
 * characters that are the CRC-32 of all before them, so that secret scanners know ours without a call.
 */
export function createOpaqueToken(prefix: string): string {
  return withChecksum(prefix + randomBase62(SECRET_LENGTH));
}

/** The same format around 32 given bytes: for tokens that are derived (the successor of a refresh token). */
export function formatOpaqueToken(prefix: string, bytes: Uint8Array): string {
  if (bytes.length !== 32)
    throw new RangeError(`An opaque token is made of 32 bytes, received ${bytes.length}.`);
  return withChecksum(prefix + encodeBytesBase62(bytes, SECRET_LENGTH));
}

/**
 * Whether a string has the format of an opaque token with this prefix and a right checksum. Tells typing
 * errors and foreign tokens from ours before the database is asked; it proves nothing about who made it.
 */
export function hasValidChecksum(token: string, prefix?: string): boolean {
  if (!SHAPE.test(token)) return false;
  if (prefix !== undefined && !token.startsWith(prefix)) return false;
  return withChecksum(token.slice(0, -CHECKSUM_LENGTH)) === token;
}

const BYPASS_SECRET_LENGTH = 32;

/**
 * A fresh secret of 32 base62 characters, the length that programs expect of a bypass secret: 26 random ones (154 bit)
 * and 6 that are their CRC-32. It has no prefix, so the checksum tells scanners more than it tells us.
 */
export function createBypassSecret(): string {
  return withChecksum(randomBase62(BYPASS_SECRET_LENGTH - CHECKSUM_LENGTH));
}

/** Whether a string can be a bypass secret: one that we made, or 32 letters and digits that somebody chose. */
export function isBypassSecret(value: string): boolean {
  return value.length === BYPASS_SECRET_LENGTH && /^[0-9A-Za-z]+$/.test(value);
}

function withChecksum(text: string): string {
  return text + encodeNumberBase62(crc32(text), CHECKSUM_LENGTH);
}
