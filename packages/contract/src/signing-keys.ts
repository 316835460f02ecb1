import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';

export const keyPurposeSchema = z.enum(['id-token', 'access-token', 'workload', 'passport']);
export const keyAlgorithmSchema = z.enum(['RS256', 'PS256', 'ES256', 'EdDSA']);
/** Purposes for which a team can have keys of its own. */
export const teamKeyPurposeSchema = z.enum(['workload', 'passport']);

export const signingKeySchema = z.strictObject({
  kid: z.string().meta({ description: 'The thumbprint of the key (RFC 7638)' }),
  purpose: keyPurposeSchema,
  algorithm: keyAlgorithmSchema,
  teamId: z.string().nullable().meta({ description: 'The team whose own it is; null: all teams share it' }),
  stage: z.enum(['next', 'active', 'retired', 'removed', 'revoked']),
  publishedAt: timeSchema,
  signsFrom: timeSchema,
  removableFrom: timeSchema.nullable().meta({
    description: 'When nothing that the key signed is good any more; null while it goes on signing',
  }),
  removedAt: timeSchema.nullable(),
});
export type SigningKeyDocument = z.infer<typeof signingKeySchema>;

export const signingKeysQuery = z.strictObject(teamQuery);
export const listSigningKeysAnswer = z.strictObject({ keys: z.array(signingKeySchema) });
export const signingKeyParams = z.strictObject({ kid: z.string().regex(/^[\w-]{1,100}$/) });

/** Which keys: of each algorithm unless one is named; those that teams share unless a team is named. */
export const chooseSigningKeysBody = z.strictObject({
  purpose: keyPurposeSchema,
  algorithm: keyAlgorithmSchema.optional(),
  teamId: z.string().min(1).max(100).optional(),
});

export const revocationAnswer = z.strictObject({
  revoked: z.array(signingKeySchema),
  replacements: z.array(signingKeySchema),
  outside: z
    .strictObject({
      cachedUntil: timeSchema,
      tokensEndBy: timeSchema,
      note: z.string(),
    })
    .meta({ description: 'What verifiers elsewhere may still accept, and until when' }),
});

export const teamKeysParams = z.strictObject({ id: z.string().min(1).max(100) });
export const teamKeysOfPurposeParams = teamKeysParams.extend({ purpose: teamKeyPurposeSchema });
export const giveTeamKeysBody = z.strictObject({
  inGlobalKeySet: z.boolean().meta({
    description: 'Whether the key set for all teams has them too, for verifiers that look only there',
  }),
});
export const rotateTeamKeysBody = z.strictObject({ algorithm: keyAlgorithmSchema.optional() });
export const teamKeysSchema = z.strictObject({
  purpose: teamKeyPurposeSchema,
  own: z
    .strictObject({
      signsFrom: timeSchema,
      endsAt: timeSchema.nullable(),
      inGlobalKeySet: z.boolean(),
    })
    .nullable()
    .meta({ description: 'null: the team shares keys with all others' }),
  keys: z.array(signingKeySchema),
});
export const listTeamKeysAnswer = z.strictObject({ purposes: z.array(teamKeysSchema) });
