import { z } from 'zod';
import { teamQuery } from './names.ts';
import { monthSchema } from './passport.ts';

export const teamFeaturesParams = z.strictObject({
  idOrSlug: z
    .string()
    .min(1)
    .max(100)
    .meta({ description: 'The id or the slug of any team of the instance' }),
});
export const teamFeaturesQuery = z.strictObject(teamQuery);

export const updateTeamFeaturesBody = z.strictObject({
  passport: z.boolean().meta({
    description:
      'Without it connectors and Passport settings are Not Found, and deployments behind Passport let in nobody new',
  }),
});

/** What an instance administrator sees of a team: what it may use, and how much of it, never by name. */
export const teamFeaturesAnswer = z.strictObject({
  teamId: z.string(),
  slug: z.string(),
  name: z.string(),
  features: z.strictObject({ passport: z.boolean() }),
  usage: z.strictObject({
    month: monthSchema,
    passportProjects: z
      .int()
      .meta({ description: 'How many projects had Passport on at any time of this month' }),
  }),
});
