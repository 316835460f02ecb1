import { z } from 'zod';
import { hostSchema, nameSchema, teamQuery, timeSchema, idOrNameSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';

/** The label below which the proof of a domain stands, and the room that it needs within 253 characters. */
export const domainProofLabel = '_tessera';
const longestDomain = 253 - domainProofLabel.length - 1;

/**
 * A domain in the one spelling that the DNS compares: lower case, Punycode for other letters than A to Z (UTS #46, as
 * browsers do it), without the final dot. No wildcard, no address, no single label.
 */
export const domainNameSchema = z
  .string()
  .min(1)
  .max(253)
  .transform((text, context) => {
    const parsed = parseDomainName(text);
    if ('name' in parsed) return parsed.name;
    context.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  })
  .meta({ examples: ['www.example.com'] });

function parseDomainName(text: string): { name: string } | { problem: string } {
  const expected = 'expected a domain such as www.example.com';
  if (text.includes('*')) return { problem: `"${text}" has a wildcard: ${expected}, each name by itself` };
  // What a URL parser would read as port, path, credentials or an escape, and labels that are no hosts.
  if (/[\p{C}\p{Z}!-,/:-@[-`{-~]/u.test(text)) {
    return { problem: `"${text}" is no domain: ${expected}, without scheme, port or path` };
  }
  const name = URL.parse(`http://${text.replace(/[.。．｡]$/u, '')}`)?.hostname;
  if (name === undefined) return { problem: `"${text}" is no domain: ${expected}` };
  if (/^[\d.]+$/.test(name)) return { problem: `"${text}" is an address: ${expected}` };
  if (!name.includes('.')) return { problem: `"${text}" is a single label: ${expected}` };
  if (!hostSchema.safeParse(name).success) return { problem: `"${text}" is no name of a host: ${expected}` };
  if (name.length > longestDomain) {
    return {
      problem: `"${text}" has ${name.length} characters: expected at most ${longestDomain}, so that its proof has a name as well`,
    };
  }
  return { name };
}

export const domainVerificationSchema = z.strictObject({
  type: z.literal('TXT'),
  domain: z.string().meta({ description: 'The name at which the record is set' }),
  value: z.string().meta({ description: 'The whole text of the record, without quotes' }),
  reason: z.literal('pending_domain_verification'),
});

export const projectDomainSchema = z.strictObject({
  name: z.string(),
  apexName: z
    .string()
    .meta({ description: 'The name that the proof is of: the domain itself. It proves no other name' }),
  projectId: z.string(),
  environment: z.string(),
  verified: z.boolean(),
  verifiedAt: timeSchema.nullable(),
  verification: z
    .array(domainVerificationSchema)
    .optional()
    .meta({ description: 'What to set in the DNS; left out once it was found there' }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export type ProjectDomainDocument = z.output<typeof projectDomainSchema>;

export const addProjectDomainBody = z.strictObject({
  name: domainNameSchema,
  environment: nameSchema
    .default('production')
    .meta({ description: 'Whose deployments may answer there; only those of production are custom domains' }),
});
export const projectDomainParams = z.strictObject({ idOrName: idOrNameSchema, domain: domainNameSchema });
export const projectDomainQuery = z.strictObject(teamQuery);
export const listProjectDomainsQuery = z.strictObject({
  ...teamQuery,
  ...pageQuery,
  verified: z.enum(['true', 'false']).optional(),
});
export const listProjectDomainsAnswer = z.strictObject({
  domains: z.array(projectDomainSchema).meta({ description: 'The newest first' }),
  pagination: paginationSchema,
});
/** As Vercel answers it. */
export const removeProjectDomainAnswer = z.strictObject({});
