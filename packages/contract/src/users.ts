import { z } from 'zod';
import { timeSchema } from './names.ts';

export const userSchema = z.strictObject({
  id: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  name: z.string().nullable(),
  username: z.string(),
  picture: z.string().nullable(),
  isInstanceAdmin: z.boolean(),
  createdAt: timeSchema,
});
export type UserDocument = z.infer<typeof userSchema>;

export const userAnswer = z.strictObject({ user: userSchema });

export const userStandingParams = z.strictObject({
  idOrEmail: z
    .string()
    .min(1)
    .max(254)
    .meta({ description: 'The id of the person, or their e-mail address' }),
});
export const userStandingAnswer = z.strictObject({
  user: userSchema.extend({
    disabledAt: timeSchema.nullable().meta({ description: 'null: the person can log in' }),
  }),
});
