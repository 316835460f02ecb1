import { nameProblem } from '@tessera/protocol';
import { z } from 'zod';

/** A team's slug, a project's or an environment's name (overview.md, Names). */
export const nameSchema = z
  .string()
  .superRefine((value, context) => {
    const problem = nameProblem(value);
    if (problem !== undefined)
      context.addIssue({ code: 'custom', message: `"${value}" cannot be a name: ${problem}` });
  })
  .meta({
    minLength: 1,
    maxLength: 100,
    pattern: '^[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?$',
    examples: ['acme'],
  });

/** What people read: any characters but control characters, trimmed, 1 to 100 long. */
export const titleSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  // oxlint-disable-next-line no-control-regex -- refusing control characters is the point
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'control characters are not allowed');

/** An id of one kind, or the name or slug that stands for it: names never begin like an id, so one field takes both. */
export const idOrNameSchema = z.string().min(1).max(100);

/** What set a build off, in the builder's word: `push`, `schedule`, `deploy-hook`. */
export const triggerSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/, 'expected a word such as push or deploy-hook');

/** Milliseconds since the epoch. */
export const timeSchema = z.int().nonnegative().meta({ description: 'Milliseconds since the epoch' });

/** A host name in lower case: labels of 1 to 63 letters, digits and hyphens, no port. */
export const hostSchema = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/,
    'expected a host name such as www.example.com, without scheme, port or path',
  );

/** An absolute http or https URL without user name, password and fragment. */
export const webUrlSchema = z
  .string()
  .max(2_048)
  .superRefine((value, context) => {
    const problem = webUrlProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ format: 'uri' });

function webUrlProblem(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null) return 'expected an absolute URL such as https://id.example.com';
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `expected https: or http:, received ${url.protocol}`;
  if (url.username !== '' || url.password !== '') return 'a URL must not carry a user name or password';
  if (value.includes('#')) return 'a URL must not carry a fragment';
  // The parser mends these silently; two programs that mend differently would disagree about the host.
  if (/[\s\\]/.test(value)) return 'a URL must not contain spaces or backslashes';
  return undefined;
}

/** Names the team of a call: by id, or by slug (a slug in `teamId` is understood too, as `@vercel/oidc` sends it). */
export const teamQuery = {
  teamId: idOrNameSchema.optional(),
  slug: idOrNameSchema.optional(),
};
