import { z } from 'zod';
import { nameSchema, teamQuery, timeSchema, titleSchema, webUrlSchema } from './names.ts';
import { permissions } from './permissions.ts';
import { audienceSchema } from './projects.ts';

/** Claims that the verification itself judges, or that name no one. */
const judgedClaims = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti'];

const trustedClaimSchema = z.strictObject({
  // ASCII alone: no other letter may fold into a registered name.
  name: z
    .string()
    .regex(/^(?!__proto__$)[A-Za-z0-9_.:/-]{1,128}$/, 'expected the name of a claim')
    .refine((name) => !judgedClaims.includes(name), 'issuer, audience and times have their own checks'),
  values: z
    .array(
      z.strictObject({
        value: z.string().min(1).max(512),
        wildcards: z
          .boolean()
          .default(false)
          .meta({ description: 'Then each * stands for anything but : and /' }),
      }),
    )
    .min(1)
    .max(100),
});

const policyFields = {
  name: titleSchema,
  issuer: webUrlSchema,
  audience: audienceSchema.meta({ description: 'The aud that the workload asks its platform for' }),
  claims: z
    .array(trustedClaimSchema)
    .min(1)
    .max(20)
    .refine(
      (claims) => new Set(claims.map(({ name }) => name)).size === claims.length,
      'a claim is named twice; give it several values instead',
    )
    .meta({ description: 'All of these must match, each with one of its values' }),
  permissions: z.array(z.enum(permissions)).max(permissions.length),
  projectIds: z
    .array(z.string().max(64))
    .max(100)
    .meta({ description: 'Where permissions hold that are given for named projects' }),
  builds: z
    .array(z.strictObject({ projectId: z.string().max(64), environment: nameSchema }))
    .max(100)
    .meta({ description: 'Where it may mint tokens of builds; an owner alone can give that' }),
  tokenLifetimeSeconds: z.int().min(60).max(3_600),
};

export const createTrustPolicyBody = z.strictObject({
  ...policyFields,
  permissions: policyFields.permissions.default([]),
  projectIds: policyFields.projectIds.default([]),
  builds: policyFields.builds.default([]),
  tokenLifetimeSeconds: policyFields.tokenLifetimeSeconds.default(3_600),
});
/** What is left out stays as it is. */
export const updateTrustPolicyBody = z.strictObject(policyFields).partial();
export type UpdateTrustPolicy = z.output<typeof updateTrustPolicyBody>;
export type CreateTrustPolicy = z.output<typeof createTrustPolicyBody>;

export const trustPolicySchema = createTrustPolicyBody.extend({
  id: z.string(),
  teamId: z.string(),
  warnings: z.array(z.string()).meta({ description: 'What is allowed, and better not done' }),
  createdAt: timeSchema,
  createdBy: z.string(),
  updatedAt: timeSchema,
});
export type TrustPolicyDocument = z.output<typeof trustPolicySchema>;

export const trustPolicyQuery = z.strictObject(teamQuery);
export const trustPolicyParams = z.strictObject({ policyId: z.string().min(1).max(64) });
export const listTrustPoliciesAnswer = z.strictObject({ policies: z.array(trustPolicySchema) });

export const simulateTrustBody = z.strictObject({
  token: z
    .string()
    .min(1)
    .max(16_384)
    .meta({ description: 'A token as the workload gets it; it is verified, and kept nowhere' }),
});
export const simulateTrustAnswer = z.strictObject({
  issuer: z.string().nullable(),
  /** Null where the token could not be held against any policy. */
  problem: z.string().nullable(),
  policies: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      matches: z.boolean(),
      checks: z.array(z.strictObject({ claim: z.string(), matches: z.boolean(), because: z.string() })),
    }),
  ),
  outcome: z.string(),
});
