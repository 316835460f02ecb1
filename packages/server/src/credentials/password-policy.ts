import { unpredictableLength } from './common-passwords.ts';

/** NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where the password is the only factor. */
export const shortestPassword = 15;
/** Long enough for every password manager; a limit at all, so that hashing has one. */
export const longestPassword = 1024;
/** What must remain when the predictable parts are taken away. */
const leastUnpredictable = 5;

/** What somebody who knows the person would try first. */
export type PasswordContext = { email: string; name?: string | undefined };

/**
 * Why a new password is refused, in words; undefined when it is fine. No rule about kinds of characters and no
 * expiry: both make passwords worse (NIST SP 800-63B-4, 3.1.1.2). Characters are Unicode code points.
 */
export function passwordProblem(password: string, context: PasswordContext): string | undefined {
  const length = Array.from(password).length;
  if (length < shortestPassword) {
    return `it has ${length} ${length === 1 ? 'character' : 'characters'}, at least ${shortestPassword} are needed; a sentence of four or five words is easy to remember`;
  }
  if (length > longestPassword) {
    return `it has ${length} characters, at most ${longestPassword} are allowed`;
  }
  if (unpredictableLength(password, contextWords(context)) < leastUnpredictable) {
    return 'it is made of parts that are tried first: common passwords, keyboard rows, repetitions, your own name or address';
  }
  return undefined;
}

function contextWords({ email, name }: PasswordContext): string[] {
  const parts = `${email} ${name ?? ''}`.split(/[^\p{L}\p{N}]+/u);
  return ['tessera', ...parts.filter((part) => part.length >= 3)].toSorted((a, b) => b.length - a.length);
}
