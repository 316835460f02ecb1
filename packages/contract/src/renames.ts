import { z } from 'zod';

const change = z.strictObject({ before: z.string(), after: z.string() });

/** What a new name breaks for those who trust the old one: their settings have to change with it. */
export const renameSchema = z
  .strictObject({
    from: z.string(),
    to: z.string(),
    issuers: z.array(change).meta({ description: 'Discovery and keys move with them' }),
    audiences: z.array(change),
    subjects: z.array(change),
    subjectsLeftOut: z.int().meta({ description: 'How many more subjects change than are listed' }),
    claims: z.array(z.string()).meta({ description: 'Other claims of tokens that change' }),
    trust: z.array(
      z.strictObject({
        kind: z.enum(['app', 'trusted-source', 'trust-policy']),
        id: z.string(),
        name: z.string(),
        setting: z.string(),
        breaks: z.boolean().meta({ description: 'False: it names ids, which no rename changes' }),
      }),
    ),
  })
  .meta({ description: 'With a new name: what it breaks' });
export type Rename = z.infer<typeof renameSchema>;
export type NamedTrust = Rename['trust'][number];

/** Only say what a change would be, and what a new name would break. */
export const dryRunQuery = {
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true')
    .meta({ description: 'Change nothing; answer what the change would be' }),
};
