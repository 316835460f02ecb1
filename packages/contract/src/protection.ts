import { formatIpRange, ipRangeProblem, parseIpRange } from '@tessera/protocol';
import { z } from 'zod';
import { hostSchema } from './names.ts';

/** Which deployments are protected: all, all but production on custom domains, or previews alone. */
export const deploymentTypeAnswerSchema = z.enum(['all', 'all_except_custom_domains', 'preview']);
export type DeploymentType = z.infer<typeof deploymentTypeAnswerSchema>;

/** The same as it may be sent: Vercel's older name of the second is understood too. */
export const deploymentTypeSchema = z
  .enum(['all', 'all_except_custom_domains', 'prod_deployment_urls_and_all_previews', 'preview'])
  .transform((value): DeploymentType =>
    value === 'prod_deployment_urls_and_all_previews' ? 'all_except_custom_domains' : value,
  );

/** Trusted IPs know one type more: production alone. */
export const trustedIpsDeploymentTypeAnswerSchema = z.enum([
  ...deploymentTypeAnswerSchema.options,
  'production',
]);
export type TrustedIpsDeploymentType = z.infer<typeof trustedIpsDeploymentTypeAnswerSchema>;

/** Platform accounts: members of the team pass by their own sign-in. */
export type SsoProtection = { readonly deploymentType: DeploymentType };

const noteSchema = z.string().trim().max(100);

/** An address or a range, kept in its one spelling. */
export const ipRangeSchema = z
  .string()
  .max(64)
  .superRefine((value, context) => {
    const problem = ipRangeProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .overwrite((value) => {
    const range = parseIpRange(value);
    return range === undefined ? value : formatIpRange(range);
  });

const trustedIpsFields = {
  addresses: z
    .array(z.strictObject({ value: ipRangeSchema, note: noteSchema.optional() }))
    .min(1)
    .max(100),
  protectionMode: z
    .enum(['additional', 'exclusive'])
    .meta({ description: 'additional: and then sign in as well; exclusive: the address alone lets in' }),
};
export const trustedIpsSchema = z.strictObject({
  deploymentType: z.union([deploymentTypeSchema, z.literal('production')]),
  ...trustedIpsFields,
});
export type TrustedIps = z.output<typeof trustedIpsSchema>;
export const trustedIpsAnswerSchema = z.strictObject({
  deploymentType: trustedIpsDeploymentTypeAnswerSchema,
  ...trustedIpsFields,
});

/**
 * The beginning of a path, up to the end of a segment: `/api` covers `/api` and `/api/users`, not `/apiary`. Only
 * characters that mean the same to every server (RFC 3986 section 2.3), so that nothing needs decoding to compare.
 */
export const pathPrefixSchema = z
  .string()
  .max(512)
  .regex(
    /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/,
    'expected a path such as /api, of letters, digits and - . _ ~ alone',
  )
  .refine((value) => !/\/\.\.?(?:\/|$)/.test(value), 'a path must not have the segments "." or ".."');

export const optionsAllowlistSchema = z.strictObject({
  paths: z
    .array(z.strictObject({ value: pathPrefixSchema }))
    .min(1)
    .max(50),
});
export type OptionsAllowlist = z.output<typeof optionsAllowlistSchema>;

/** Hosts that are open to everyone. One that is not open yet is typed twice. */
export const protectionExceptionsSchema = z
  .array(
    z.strictObject({
      host: hostSchema,
      confirm: z
        .string()
        .max(253)
        .optional()
        .meta({ description: 'The host again, for one that is not open yet' }),
    }),
  )
  .max(50);
export const protectionExceptionsAnswerSchema = z.array(z.strictObject({ host: z.string() }));
