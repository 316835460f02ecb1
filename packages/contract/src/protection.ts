import { formatIpRange, ipRangeProblem, parseIpRange } from '@tessera/protocol';
import { z } from 'zod';
import { hostSchema, nameSchema, teamQuery, timeSchema } from './names.ts';

/** Which deployments are protected: all, all but production on custom domains, or previews alone. */
export const deploymentTypeAnswerSchema = z.enum(['all', 'all_except_custom_domains', 'preview']);
export type DeploymentType = z.infer<typeof deploymentTypeAnswerSchema>;

/** The same as it may be sent: Vercel's older name of the second is understood too. */
export const deploymentTypeSchema = z
  .enum(['all', 'all_except_custom_domains', 'prod_deployment_urls_and_all_previews', 'preview'])
  .transform((value): DeploymentType =>
    value === 'prod_deployment_urls_and_all_previews' ? 'all_except_custom_domains' : value,
  );

/** Trusted IPs know one type more: production alone. */
export const trustedIpsDeploymentTypeAnswerSchema = z.enum([
  ...deploymentTypeAnswerSchema.options,
  'production',
]);
export type TrustedIpsDeploymentType = z.infer<typeof trustedIpsDeploymentTypeAnswerSchema>;

/** Platform accounts: members of the team pass by their own sign-in. */
export const ssoProtectionSchema = z.strictObject({ deploymentType: deploymentTypeSchema });
export type SsoProtection = z.output<typeof ssoProtectionSchema>;
export const ssoProtectionAnswerSchema = z.strictObject({ deploymentType: deploymentTypeAnswerSchema });

const mostPasswordCharacters = 72;

/** Counted as people count: a character is a code point. Compared exactly as it was given. */
export const deploymentPasswordSchema = z
  .string()
  .superRefine((value, context) => {
    const problem = passwordProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ minLength: 1, maxLength: mostPasswordCharacters, format: 'password', writeOnly: true });

function passwordProblem(value: string): string | undefined {
  const characters = Array.from(value).length;
  if (characters === 0 || characters > mostPasswordCharacters) {
    return `expected 1 to ${mostPasswordCharacters} characters, received ${characters}`;
  }
  return /\p{Cc}/u.test(value)
    ? 'control characters such as line breaks cannot be typed into a password field'
    : undefined;
}

/** One password for everybody who visits. */
export const passwordProtectionSchema = z.strictObject({
  deploymentType: deploymentTypeSchema,
  password: deploymentPasswordSchema
    .optional()
    .meta({ description: 'May be left out where there is one: it stays' }),
});
export const passwordProtectionAnswerSchema = z.strictObject({
  deploymentType: deploymentTypeAnswerSchema,
  changedAt: timeSchema.meta({ description: 'When the password was set; who gave an older one is out' }),
});

const noteSchema = z.string().trim().max(100);

/** An address or a range, kept in its one spelling. */
export const ipRangeSchema = z
  .string()
  .max(64)
  .superRefine((value, context) => {
    const problem = ipRangeProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .overwrite((value) => {
    const range = parseIpRange(value);
    return range === undefined ? value : formatIpRange(range);
  });

const trustedIpsFields = {
  addresses: z
    .array(z.strictObject({ value: ipRangeSchema, note: noteSchema.optional() }))
    .min(1)
    .max(100),
  protectionMode: z
    .enum(['additional', 'exclusive'])
    .meta({ description: 'additional: and then sign in as well; exclusive: the address alone lets in' }),
};
export const trustedIpsSchema = z.strictObject({
  deploymentType: z.union([deploymentTypeSchema, z.literal('production')]),
  ...trustedIpsFields,
});
export type TrustedIps = z.output<typeof trustedIpsSchema>;
export const trustedIpsAnswerSchema = z.strictObject({
  deploymentType: trustedIpsDeploymentTypeAnswerSchema,
  ...trustedIpsFields,
});

/**
 * The beginning of a path, up to the end of a segment: `/api` covers `/api` and `/api/users`, not `/apiary`. Only
 * characters that mean the same to every server (RFC 3986 section 2.3), so that nothing needs decoding to compare.
 */
export const pathPrefixSchema = z
  .string()
  .max(512)
  .regex(
    /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/,
    'expected a path such as /api, of letters, digits and - . _ ~ alone',
  )
  .refine((value) => !/\/\.\.?(?:\/|$)/.test(value), 'a path must not have the segments "." or ".."');

export const optionsAllowlistSchema = z.strictObject({
  paths: z
    .array(z.strictObject({ value: pathPrefixSchema }))
    .min(1)
    .max(50),
});
export type OptionsAllowlist = z.output<typeof optionsAllowlistSchema>;

/** Hosts that are open to everyone. One that is not open yet is typed twice. */
export const protectionExceptionsSchema = z
  .array(
    z.strictObject({
      host: hostSchema,
      confirm: z
        .string()
        .max(253)
        .optional()
        .meta({ description: 'The host again, for one that is not open yet' }),
    }),
  )
  .max(50);
export const protectionExceptionsAnswerSchema = z.array(z.strictObject({ host: z.string() }));

/** 32 letters and digits, as Vercel has it. */
const bypassSecretSchema = z
  .string()
  .regex(/^[0-9A-Za-z]{32}$/, 'expected 32 letters and digits')
  .refine((value) => new Set(value).size >= 8, 'expected a random secret; leave it out to have one made');
const bypassNameSchema = z.string().min(1).max(64).meta({ description: 'The secret itself, or its id' });
const futureSchema = timeSchema.meta({ description: 'Milliseconds since the epoch; it has to be to come' });
const bypassEnvironmentsSchema = z.array(nameSchema).min(1).max(50);

export const updateBypassBody = z
  .strictObject({
    generate: z
      .strictObject({
        secret: bypassSecretSchema.optional(),
        note: noteSchema.optional(),
        environments: bypassEnvironmentsSchema.optional(),
        pathPrefix: pathPrefixSchema.optional(),
        expiresAt: futureSchema.optional(),
      })
      .optional(),
    revoke: z.strictObject({ secret: bypassNameSchema, regenerate: z.boolean().default(false) }).optional(),
    update: z
      .strictObject({
        secret: bypassNameSchema,
        isEnvVar: z.literal(true).optional(),
        note: noteSchema.nullable().optional(),
        environments: bypassEnvironmentsSchema.nullable().optional(),
        pathPrefix: pathPrefixSchema.nullable().optional(),
        expiresAt: futureSchema.nullable().optional(),
      })
      .optional(),
  })
  .refine(
    (body) => Object.values(body).filter((part) => part !== undefined).length === 1,
    'expected exactly one of generate, revoke and update',
  );

export const automationBypassSchema = z.strictObject({
  id: z.string(),
  scope: z.literal('automation-bypass'),
  note: z.string().nullable(),
  isEnvVar: z.boolean(),
  environments: z.array(z.string()).nullable(),
  pathPrefix: z.string().nullable(),
  expiresAt: timeSchema.nullable(),
  lastUsedAt: timeSchema.nullable().meta({ description: 'To the minute, or so' }),
  createdAt: timeSchema,
  createdBy: z.string(),
});
export type AutomationBypassDocument = z.output<typeof automationBypassSchema>;

export const bypassesAnswer = z.strictObject({
  protectionBypass: z.record(z.string(), automationBypassSchema).meta({
    description: 'By the secret for the one that was made by this call, by their ids for the others',
  }),
  id: z.string().optional(),
  secret: z.string().optional().meta({ description: 'The new secret, shown this once' }),
});

export const aliasParams = z.strictObject({
  idOrHost: z
    .string()
    .min(1)
    .max(253)
    .meta({ description: 'A host of a deployment, or the id of a deployment for its generated host' }),
});
export const updateShareLinkBody = z.strictObject({
  ttl: z
    .int()
    .min(1)
    .max(10 * 366 * 86_400)
    .optional()
    .meta({ description: 'Seconds; without it the link lives until it is revoked' }),
  revoke: z.strictObject({ secret: bypassNameSchema, regenerate: z.boolean().default(false) }).optional(),
});
export const shareLinkSchema = z.strictObject({
  id: z.string(),
  scope: z.literal('shareable-link'),
  expires: timeSchema.nullable(),
  createdAt: timeSchema,
  createdBy: z.string(),
});
export const shareLinkAnswer = z.strictObject({
  protectionBypass: z
    .record(z.string(), shareLinkSchema)
    .meta({ description: 'By the secret for a link that was made by this call, by its id for another' }),
  host: z.string(),
  secret: z.string().optional().meta({ description: 'The new secret, shown this once' }),
  url: z.string().optional().meta({ description: 'The link to send to people' }),
});
export const protectionQuery = z.strictObject(teamQuery);

const headerNameSchema = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, 'expected the name of a header');
const headerValueSchema = z
  .string()
  .max(16_384)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected the value of a header, without line breaks');
export const explainBody = z.strictObject({
  host: hostSchema,
  method: z
    .string()
    .regex(/^[A-Z]{1,32}$/, 'expected a method in capitals, such as GET')
    .default('GET'),
  path: z.string().min(1).max(8_192).default('/').meta({ description: 'Path and query' }),
  headers: z
    .record(headerNameSchema, z.union([headerValueSchema, z.array(headerValueSchema).max(20)]))
    .default({})
    .refine((headers) => Object.keys(headers).length <= 200, 'expected at most 200 headers'),
  clientAddress: z
    .union([z.ipv4(), z.ipv6()])
    .optional()
    .meta({ description: 'Where the request would come from, for trusted IPs' }),
});
export const explainAnswer = z.strictObject({
  host: z.string(),
  deploymentId: z.string(),
  projectId: z.string(),
  environment: z.string(),
  outcome: z.strictObject({
    is: z.enum(['pass', 'sign-in', 'password', 'hide', 'refuse', 'own-path']),
    by: z.string().optional().meta({ description: 'The rule that decided' }),
    connectorId: z.string().optional(),
    code: z.string().optional().meta({ description: 'The error that would be answered' }),
    because: z.string(),
  }),
  rules: z
    .array(z.strictObject({ rule: z.string(), says: z.string(), because: z.string() }))
    .meta({ description: 'Every rule that was asked, in order; the last one decided' }),
});
export type ExplainBody = z.output<typeof explainBody>;
export type ExplainAnswer = z.output<typeof explainAnswer>;
