import { z } from 'zod';
import { idOrNameSchema, nameSchema, teamQuery, timeSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';
import {
  deploymentTypeAnswerSchema,
  deploymentTypeSchema,
  optionsAllowlistSchema,
  protectionExceptionsAnswerSchema,
  protectionExceptionsSchema,
  trustedIpsAnswerSchema,
  trustedIpsSchema,
} from './protection.ts';

/**
 * One rule of an access policy: the visitor's claim has one of the values. `email` and `email_domain` count only
 * when the identity provider says that the address is verified; of a claim with several values (`groups`) one is enough.
 */
export const policyRuleSchema = z.strictObject({
  claim: z.string().regex(/^[A-Za-z0-9_.:/-]{1,128}$/, 'expected the name of a claim'),
  values: z.array(z.string().min(1).max(256)).min(1).max(100),
});

/** Who of those that sign in may pass: everyone, or whoever meets at least one rule. */
export const accessPolicySchema = z.union([
  z.literal('everyone'),
  z.strictObject({ anyOf: z.array(policyRuleSchema).min(1).max(50) }),
]);
export type AccessPolicy = z.infer<typeof accessPolicySchema>;

const defaultSessionLifetimeSeconds = 12 * 3_600;
const passportSettingFields = {
  connectorId: z.string().min(1).max(64),
  sessionLifetimeSeconds: z
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(defaultSessionLifetimeSeconds),
  policy: accessPolicySchema.default('everyone'),
};
export const passportSettingSchema = z.strictObject({
  ...passportSettingFields,
  deploymentType: deploymentTypeSchema,
});
export type PassportSetting = z.output<typeof passportSettingSchema>;

/** An audience may be asked for only when it is on the project's list. */
export const audienceSchema = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII characters without spaces');

export const oidcTokenConfigSchema = z.strictObject({
  enabled: z.boolean(),
  issuerMode: z.enum(['team', 'global']),
  subjectForm: z.enum(['names', 'ids']),
  audiences: z.array(audienceSchema).max(100),
});
export type OidcTokenConfig = z.infer<typeof oidcTokenConfigSchema>;

export const projectSchema = z.strictObject({
  id: z.string(),
  teamId: z.string(),
  name: z.string(),
  environments: z.array(z.string()),
  passport: z
    .strictObject({ ...passportSettingFields, deploymentType: deploymentTypeAnswerSchema })
    .nullable(),
  trustedIps: trustedIpsAnswerSchema.nullable(),
  optionsAllowlist: optionsAllowlistSchema.nullable(),
  protectionExceptions: protectionExceptionsAnswerSchema,
  oidcTokenConfig: oidcTokenConfigSchema,
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export type ProjectDocument = z.output<typeof projectSchema>;

export const createProjectBody = z.strictObject({ name: nameSchema });
export const updateProjectBody = z.strictObject({
  name: nameSchema.optional(),
  environments: z
    .array(nameSchema)
    .max(50)
    .meta({ description: 'All environments; production, preview and development always stay' })
    .optional(),
  passport: passportSettingSchema.nullable().optional(),
  trustedIps: trustedIpsSchema.nullable().optional(),
  optionsAllowlist: optionsAllowlistSchema.nullable().optional(),
  protectionExceptions: protectionExceptionsSchema
    .meta({ description: 'All hosts of the project that are open to everyone' })
    .nullable()
    .optional(),
  oidcTokenConfig: oidcTokenConfigSchema.partial().optional(),
});
export const projectParams = z.strictObject({ idOrName: idOrNameSchema });
export const projectQuery = z.strictObject(teamQuery);
export const listProjectsQuery = z.strictObject({
  ...teamQuery,
  ...pageQuery,
  passport: z.enum(['enabled', 'disabled']).optional(),
});
export const listProjectsAnswer = z.strictObject({
  projects: z.array(projectSchema),
  pagination: paginationSchema,
});
