import { z } from 'zod';
import { nameSchema, titleSchema } from './names.ts';
import { permissions } from './permissions.ts';

const permissionSchema = z.enum(permissions);

export const buildSchema = z.strictObject({ projectId: z.string().min(1).max(64), environment: nameSchema });

/**
 * What a new API token may do. `permissions: 'role'` makes a person's token: it does whatever the person's present
 * role allows. A list narrows that, is for one team, and cannot hold what the table gives to nobody's token. There is
 * no REST route that makes tokens: that takes a logged-in session, so that a stolen token cannot make itself another.
 */
export const createApiTokenBody = z.strictObject({
  name: titleSchema,
  teamId: z.string().min(1).max(64).optional(),
  permissions: z
    .union([z.literal('role'), z.array(permissionSchema).max(permissions.length)])
    .default('role'),
  /** The projects for which those permissions hold that are given per project (`deployment:write:…`). */
  projectIds: z.array(z.string().min(1).max(64)).max(100).default([]),
  /** Where it may mint tokens of builds: an owner's gift. */
  builds: z.array(buildSchema).max(100).default([]),
  lifetimeSeconds: z
    .int()
    .min(60)
    .max(366 * 86_400)
    .default(90 * 86_400),
  /** How long the login that made a person's token counts as a fresh one. */
  freshForSeconds: z.int().min(0).max(86_400).default(86_400),
});
export type CreateApiToken = z.input<typeof createApiTokenBody>;
