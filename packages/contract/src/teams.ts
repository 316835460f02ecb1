import { z } from 'zod';
import { nameSchema, teamQuery, timeSchema, titleSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';
import { dryRunQuery, renameSchema } from './renames.ts';
import { roles } from './permissions.ts';
import { deploymentTypeAnswerSchema, deploymentTypeSchema } from './protection.ts';

export const roleSchema = z.enum(roles);

/** What new projects of the team begin with; projects that exist keep their own setting. */
export const defaultPassportSchema = z.strictObject({
  connectorId: z.string(),
  deploymentType: deploymentTypeSchema,
});

export const teamSchema = z.strictObject({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  features: z.strictObject({ passport: z.boolean() }),
  defaultPassport: z
    .strictObject({ connectorId: z.string(), deploymentType: deploymentTypeAnswerSchema })
    .nullable()
    .optional()
    .meta({ description: 'Left out for a token that was not given to read it' }),
  workloadAlgorithm: z.enum(['RS256', 'ES256']),
  membership: z.strictObject({ role: roleSchema }).meta({ description: 'Your own role in the team' }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
});
export const teamReads = { defaultPassport: 'passport:read' } as const;
export type TeamDocument = z.infer<typeof teamSchema>;

export const createTeamBody = z.strictObject({ slug: nameSchema, name: titleSchema.optional() });
export const updateTeamBody = z.strictObject({
  slug: nameSchema.optional(),
  name: titleSchema.optional(),
  workloadAlgorithm: z.enum(['RS256', 'ES256']).optional(),
  defaultPassport: defaultPassportSchema.nullable().optional(),
});
export const updateTeamQuery = z.strictObject({ ...teamQuery, ...dryRunQuery });
export const updateTeamAnswer = teamSchema.extend({ rename: renameSchema.optional() });
export const teamParams = z.strictObject({ id: z.string().min(1).max(100) });
export const listTeamsQuery = z.strictObject({ ...teamQuery, ...pageQuery });
export const listTeamsAnswer = z.strictObject({ teams: z.array(teamSchema), pagination: paginationSchema });

export const memberSchema = z.strictObject({
  userId: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  role: roleSchema,
  createdAt: timeSchema,
});
export type MemberDocument = z.infer<typeof memberSchema>;

export const addMemberBody = z.strictObject({ email: z.email().max(254), role: roleSchema });
export const memberParams = z.strictObject({
  id: z.string().min(1).max(100),
  userId: z.string().min(1).max(64),
});
export const updateMemberBody = z.strictObject({ role: roleSchema });
/** Somebody without an account is invited: they are a member once they have opened the link. */
export const addMemberAnswer = memberSchema.extend({
  userId: z.string().nullable(),
  createdAt: timeSchema.nullable(),
  invitation: z.strictObject({ url: z.string() }).nullable(),
});
export const listMembersQuery = z.strictObject({ ...teamQuery, ...pageQuery });
export const listMembersAnswer = z.strictObject({
  members: z.array(memberSchema),
  pagination: paginationSchema,
});
