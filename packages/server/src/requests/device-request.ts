import { randomInt } from 'node:crypto';

/** A device that asks to be let in (RFC 8628). Times are milliseconds since the epoch. */
export type DeviceRequest = {
  id: string;
  clientId: string;
  /** Those of the scopes asked for that the app may have; never permissions at our API. */
  scopes: readonly string[];
  resources: readonly string[];
  /** Of the sign-in attempt. */
  reference: string;
  /** Where the device asked from, as it said of itself. */
  address: string;
  userAgent: string | undefined;
  createdAt: number;
  expiresAt: number;
  /** Seconds between two questions of the device. */
  interval: number;
  /** The login at which the code was entered: no other may decide. */
  claim: { browserId: string; userId: string; sid: string } | undefined;
  /** `expired` also when somebody approved it and the device never came back. */
  state: 'pending' | 'approved' | 'denied' | 'completed' | 'expired';
  /** The login that approved it. */
  approved: { authenticatedAt: number; amr: readonly string[] } | undefined;
};

/** RFC 8628, 6.1: consonants alone, so that no word comes about and nothing looks like a digit. 20^8 is 34 bit. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';
const codeLength = 8;

/** A user code as it is kept: without the hyphen that people read. */
export function createUserCode(): string {
  return Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** `WDJBMJHT` becomes `WDJB-MJHT`. */
export function formatUserCode(userCode: string): string {
  return `${userCode.slice(0, codeLength / 2)}-${userCode.slice(codeLength / 2)}`;
}

/** What somebody typed, however they wrote it; undefined when it cannot be a code. */
export function parseUserCode(typed: string): string | undefined {
  const letters = typed.toUpperCase().replaceAll(/[\s\p{P}]/gu, '');
  const isCode =
    letters.length === codeLength && Array.from(letters).every((letter) => alphabet.includes(letter));
  return isCode ? letters : undefined;
}
