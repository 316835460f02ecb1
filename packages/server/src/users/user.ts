/** A person with an account of the platform. Times are milliseconds since the epoch. */
export type User = {
  id: string;
  email: string;
  emailVerified: boolean;
  name: string | undefined;
  /** Unique; goes out as `preferred_username`. */
  username: string;
  /** A path at our own origin, never somebody else's address. */
  picture: string | undefined;
  isInstanceAdmin: boolean;
  createdAt: number;
  updatedAt: number;
  /** A disabled person cannot log in, and their sessions count for nothing. */
  disabledAt: number | undefined;
};

const longestEmail = 254;
const longestName = 100;

/**
 * The form in which e-mail addresses are compared: two addresses that differ only in case are one person.
 * Stored beside the address as it was written, because mail goes to the latter.
 */
export function emailKey(email: string): string {
  return email.trim().normalize('NFC').toLowerCase();
}

/** Why an e-mail address is refused, in words; undefined when it is fine. Only mail itself can prove the rest. */
export function emailProblem(email: string): string | undefined {
  const trimmed = email.trim();
  if (trimmed === '') return 'it is empty';
  if (trimmed.length > longestEmail)
    return `it has ${trimmed.length} characters, at most ${longestEmail} are allowed`;
  if (/[\s\p{Cc}\p{Cf}]/u.test(trimmed)) return 'it contains a space or an invisible character';
  if (!/^[^@<>"(),:;\\]+@[^@<>"(),:;\\]+$/.test(trimmed)) return 'it does not look like name@example.com';
  return undefined;
}

/** Why a person's name is refused, in words; undefined when it is fine. */
export function personNameProblem(name: string): string | undefined {
  const trimmed = name.trim();
  if (trimmed === '') return 'it is empty';
  if (trimmed.length > longestName)
    return `it has ${trimmed.length} characters, at most ${longestName} are allowed`;
  if (/[\p{Cc}\p{Bidi_Control}]/u.test(trimmed)) return 'it contains an invisible character';
  return undefined;
}

/** A username to begin with, from what stands before the @: `Ada.Lovelace+x@…` becomes `ada.lovelace-x`. */
export function usernameFromEmail(email: string): string {
  const local = emailKey(email).split('@')[0] ?? '';
  const plain = local
    .normalize('NFKD')
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[._-]+|[._-]+$/g, '')
    .slice(0, 39);
  return plain === '' ? 'person' : plain;
}
