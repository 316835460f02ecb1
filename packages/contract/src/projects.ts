import { z } from 'zod';
import { idOrNameSchema, nameSchema, teamQuery, timeSchema, triggerSchema } from './names.ts';
import { dryRunQuery, renameSchema } from './renames.ts';
import { pageQuery, paginationSchema } from './pagination.ts';
import {
  deploymentTypeAnswerSchema,
  deploymentTypeSchema,
  optionsAllowlistSchema,
  passwordProtectionAnswerSchema,
  passwordProtectionSchema,
  protectionExceptionsAnswerSchema,
  protectionExceptionsSchema,
  ssoProtectionAnswerSchema,
  ssoProtectionSchema,
  trustedIpsAnswerSchema,
  trustedIpsSchema,
} from './protection.ts';
import { trustedSourcesSchema } from './trusted-sources.ts';

/**
 * One rule of an access policy: the visitor's claim has one of the values. `email` and `email_domain` count only
 * when the identity provider says that the address is verified; of a claim with several values (`groups`) one is enough.
 */
export const policyRuleSchema = z
  .strictObject({
    claim: z.string().regex(/^[A-Za-z0-9_.:/-]{1,128}$/, 'expected the name of a claim'),
    values: z.array(z.string().min(1).max(256)).min(1).max(100),
  })
  .superRefine(({ claim, values }, context) => {
    // Both would match nobody, and look as if they did.
    values.forEach((value, index) => {
      const problem =
        claim === 'email_domain' && value.includes('@')
          ? 'expected a domain such as corp.example, without the @ and what stands before it'
          : claim === 'email' && !value.includes('@')
            ? 'expected a whole address; for all of a domain, say the claim email_domain'
            : undefined;
      if (problem !== undefined)
        context.addIssue({ code: 'custom', path: ['values', index], message: problem });
    });
  });

/** Who of those that sign in may pass: everyone, or whoever meets at least one rule. */
export const accessPolicySchema = z.union([
  z.literal('everyone'),
  z.strictObject({ anyOf: z.array(policyRuleSchema).min(1).max(50) }),
]);
export type AccessPolicy = z.infer<typeof accessPolicySchema>;

const defaultSessionLifetimeSeconds = 12 * 3_600;
const sessionLifetimeSchema = z
  .int()
  .min(60)
  .max(30 * 86_400);
const sessionIdleSchema = z
  .int()
  .min(300)
  .max(30 * 86_400)
  .nullable()
  .meta({
    description: 'A session ends when its visitor asked for nothing for so long; null: only by age',
  });
const passportSettingFields = {
  connectorId: z.string().min(1).max(64),
  sessionLifetimeSeconds: sessionLifetimeSchema.default(defaultSessionLifetimeSeconds),
  sessionIdleSeconds: sessionIdleSchema.default(null),
  policy: accessPolicySchema.default('everyone'),
};
export const passportSettingSchema = z.strictObject({
  ...passportSettingFields,
  deploymentType: deploymentTypeSchema,
});
export type PassportSetting = z.output<typeof passportSettingSchema>;
/** A change of coverage must not open a project to everyone: what is left out stays as it is. */
export const passportChangeSchema = z
  .strictObject({
    connectorId: passportSettingFields.connectorId,
    deploymentType: deploymentTypeSchema,
    sessionLifetimeSeconds: sessionLifetimeSchema.optional(),
    sessionIdleSeconds: sessionIdleSchema.optional(),
    policy: accessPolicySchema.optional(),
  })
  .meta({ description: 'What is left out stays, or is 12 hours, no idle time and everyone; null: off' });
export type PassportChange = z.output<typeof passportChangeSchema>;

/** An audience may be asked for only when it is on the project's list. */
export const audienceSchema = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII characters without spaces');

/** The name of a branch as the builder reports it. `*` stands for characters within one part between slashes. */
const branchPatternSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((value) => !/^\*+$/.test(value), 'leave branches out instead of naming every branch')
  .refine((value) => !/\*.*\*.*\*.*\*|\*\*/s.test(value), 'at most three * are allowed, and no **')
  .refine((value) => value.isWellFormed(), 'expected Unicode text');

/**
 * One rule of a mint policy. It allows a token of one of its environments when all that it names fits: the branch, the
 * trigger, the audience. Builds of forks and interactive ones it allows only when it says so.
 */
export const mintRuleSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?$/, 'expected a short plain name'),
  environments: z.array(nameSchema).min(1).max(50),
  branches: z.array(branchPatternSchema).min(1).max(50).optional(),
  triggers: z.array(triggerSchema).min(1).max(20).optional(),
  audiences: z
    .array(audienceSchema)
    .min(1)
    .max(50)
    .meta({ description: 'Audiences beside the default one; without it, all on the list of the project' })
    .optional(),
  forks: z.boolean().meta({ description: 'Also builds of forks' }).optional(),
  interactive: z.boolean().meta({ description: 'Also builds that a person has a shell in' }).optional(),
});
export type MintRule = z.infer<typeof mintRuleSchema>;

export const mintPolicySchema = z.strictObject({
  mode: z.enum(['enforce', 'audit']).meta({ description: 'audit: what the rules would refuse is recorded' }),
  rules: z
    .array(mintRuleSchema)
    .min(1)
    .max(50)
    .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, {
      message: 'two rules have the same name',
    }),
});
export type MintPolicy = z.infer<typeof mintPolicySchema>;

export const oidcTokenConfigSchema = z.strictObject({
  enabled: z.boolean(),
  issuerMode: z.enum(['team', 'global']),
  subjectForm: z.enum(['names', 'ids']),
  audiences: z.array(audienceSchema).max(100),
  mintPolicy: mintPolicySchema.nullable(),
});
export type OidcTokenConfig = z.infer<typeof oidcTokenConfigSchema>;

export const passportAnswerSchema = z
  .strictObject({ ...passportSettingFields, deploymentType: deploymentTypeAnswerSchema })
  .nullable();

/** What is optional here is left out for a token that was not given to read it (`projectReads`). */
export const projectSchema = z.strictObject({
  id: z.string(),
  teamId: z.string(),
  name: z.string(),
  environments: z.array(z.string()),
  passport: passportAnswerSchema.optional(),
  ssoProtection: ssoProtectionAnswerSchema.nullable().optional(),
  passwordProtection: passwordProtectionAnswerSchema.nullable().optional(),
  trustedIps: trustedIpsAnswerSchema.nullable().optional(),
  trustedSources: trustedSourcesSchema.nullable().optional(),
  optionsAllowlist: optionsAllowlistSchema.nullable().optional(),
  protectionExceptions: protectionExceptionsAnswerSchema.optional(),
  oidcTokenConfig: oidcTokenConfigSchema.optional(),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export const projectReads = {
  passport: 'passport:read',
  ssoProtection: 'protection:read',
  passwordProtection: 'protection:read',
  trustedIps: 'protection:read',
  trustedSources: 'protection:read',
  optionsAllowlist: 'protection:read',
  protectionExceptions: 'protection:read',
  oidcTokenConfig: 'federation:read',
} as const;
export type ProjectDocument = z.output<typeof projectSchema>;

export const createProjectBody = z.strictObject({ name: nameSchema });
export const updateProjectBody = z.strictObject({
  name: nameSchema.optional(),
  environments: z
    .array(nameSchema)
    .max(50)
    .meta({ description: 'All environments; production, preview and development always stay' })
    .optional(),
  passport: passportChangeSchema.nullable().optional(),
  ssoProtection: ssoProtectionSchema.nullable().optional(),
  passwordProtection: passwordProtectionSchema.nullable().optional(),
  trustedIps: trustedIpsSchema.nullable().optional(),
  trustedSources: trustedSourcesSchema.nullable().optional(),
  optionsAllowlist: optionsAllowlistSchema.nullable().optional(),
  protectionExceptions: protectionExceptionsSchema
    .meta({ description: 'All hosts of the project that are open to everyone' })
    .nullable()
    .optional(),
  oidcTokenConfig: oidcTokenConfigSchema.partial().optional(),
});
export const projectParams = z.strictObject({ idOrName: idOrNameSchema });
export const projectQuery = z.strictObject(teamQuery);
export const updateProjectQuery = z.strictObject({ ...teamQuery, ...dryRunQuery });
export const updateProjectAnswer = projectSchema.extend({ rename: renameSchema.optional() });
export const listProjectsQuery = z.strictObject({
  ...teamQuery,
  ...pageQuery,
  passport: z.enum(['enabled', 'disabled']).optional(),
});
export const listProjectsAnswer = z.strictObject({
  projects: z.array(projectSchema),
  pagination: paginationSchema,
});
