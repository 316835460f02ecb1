import { z } from 'zod';
import { nameSchema, timeSchema, titleSchema } from './names.ts';
import { permissions } from './permissions.ts';

const permissionSchema = z.enum(permissions);

export const buildSchema = z.strictObject({ projectId: z.string().min(1).max(64), environment: nameSchema });

/**
 * What a new API token may do. `permissions: 'role'` makes a person's token: whatever the person's present role
 * allows. A list narrows that, and lists are bound to one team. There is no REST route that makes tokens: a token
 * is made only in a logged-in session, so that a stolen one cannot make itself another.
 */
export const createApiTokenBody = z.strictObject({
  name: titleSchema,
  teamId: z.string().min(1).max(64).optional(),
  permissions: z.union([z.literal('role'), z.array(permissionSchema).min(1).max(permissions.length)]),
  projectIds: z.array(z.string().min(1).max(64)).max(100).default([]),
  builds: z.array(buildSchema).max(100).default([]),
  expiresAt: timeSchema.optional(),
  freshForSeconds: z.int().min(0).max(86_400).default(0),
});
export type CreateApiToken = z.output<typeof createApiTokenBody>;
