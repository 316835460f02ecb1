import { z } from 'zod';
import { hostSchema, teamQuery } from './names.ts';
import { accessPolicySchema, passportAnswerSchema } from './projects.ts';
import { deploymentTypeSchema } from './protection.ts';

export const passportQuery = z.strictObject(teamQuery);

export const assignPassportBody = z.strictObject({
  connectorId: z.string().min(1).max(64),
  deploymentType: deploymentTypeSchema,
  projectIds: z.array(z.string().min(1).max(100)).min(1).max(500),
  preview: z.boolean().default(false).meta({ description: 'Only say what would change' }),
});

export const assignPassportAnswer = z.strictObject({
  isPreview: z.boolean(),
  changes: z
    .array(
      z.strictObject({
        projectId: z.string(),
        name: z.string(),
        before: passportAnswerSchema,
        after: passportAnswerSchema,
      }),
    )
    .meta({ description: 'The projects whose setting is another one afterwards' }),
  unchanged: z
    .array(z.strictObject({ projectId: z.string(), name: z.string() }))
    .meta({ description: 'The projects that have this setting already' }),
});
export type AssignPassportDocument = z.output<typeof assignPassportAnswer>;

/** A calendar month in UTC. */
export const monthSchema = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'expected a month such as 2026-11');
export const passportUsageQuery = z.strictObject({ ...teamQuery, month: monthSchema.optional() });
export const passportUsageAnswer = z.strictObject({
  month: monthSchema,
  projects: z.array(z.strictObject({ projectId: z.string(), name: z.string().nullable() })).meta({
    description: 'The projects that had Passport on at any time of the month; name null when deleted',
  }),
});

/** Who is tried: a session of now by its `sid`, or claims as a provider would give them. */
export const simulatePassportBody = z.strictObject({
  visitor: z.union([
    z.strictObject({ sid: z.string().min(1).max(64) }),
    z.strictObject({
      email: z.string().max(320).optional(),
      emailVerified: z.boolean().optional(),
      claims: z.record(z.string().max(128), z.unknown()).default({}),
    }),
  ]),
  policy: accessPolicySchema
    .optional()
    .meta({ description: 'A policy to try instead of the one of the project' }),
  host: hostSchema
    .optional()
    .meta({ description: 'A host of a deployment of the project: whether visitors are asked there at all' }),
});
export const simulatePassportAnswer = z.strictObject({
  allowed: z.boolean(),
  because: z.string(),
  rules: z.array(z.strictObject({ claim: z.string(), matches: z.boolean(), because: z.string() })),
  coverage: z.strictObject({ host: z.string(), covered: z.boolean(), because: z.string() }).optional().meta({
    description: 'What the setting says of the host that was named; where it is not covered, nobody is asked',
  }),
});
