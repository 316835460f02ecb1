import { z } from 'zod';
import { nameSchema, titleSchema } from './names.ts';

/** Environments of a project: by name, or all that it has of its own. */
export const environmentSetSchema = z.union([
  z.strictObject({ slugs: z.array(nameSchema).min(1).max(50) }),
  z.strictObject({ preset: z.literal('all-custom') }),
]);
export type EnvironmentSet = z.infer<typeof environmentSetSchema>;

const claimValueSchema = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (value) => !value.includes('*'),
    'values are compared exactly: a "*" would match nothing but itself',
  );

const trustedProviderEntrySchema = z.strictObject({
  label: titleSchema.optional(),
  to: environmentSetSchema.meta({ description: 'The environments of this project that may be called' }),
  claims: z
    .record(
      z.string().regex(/^(?!__proto__$)[A-Za-z0-9_.:/-]{1,128}$/, 'expected the name of a claim'),
      z.array(claimValueSchema).min(1).max(100),
    )
    .meta({ description: 'Every claim must have one of its values: aud, and one that says who it is' }),
});
export type TrustedProviderEntry = z.infer<typeof trustedProviderEntrySchema>;

/** Whose workloads may call the deployments of a project. What is saved replaces the defaults. */
export const trustedSourcesSchema = z.strictObject({
  projects: z
    .record(
      z.string().regex(/^prj_[A-Za-z0-9]{1,60}$/, 'expected the id of a project'),
      z.strictObject({
        label: titleSchema.optional(),
        customAllow: z
          .array(z.strictObject({ from: environmentSetSchema, to: environmentSetSchema }))
          .max(50)
          .optional()
          .meta({ description: 'Without it: from each environment to the one of the same name' }),
      }),
    )
    .refine((projects) => Object.keys(projects).length <= 100, 'expected at most 100 projects')
    .default({}),
  oidcProviders: z
    .record(z.string(), z.array(trustedProviderEntrySchema).min(1).max(20))
    .superRefine((providers, context) => {
      if (Object.keys(providers).length > 50) {
        context.addIssue({ code: 'custom', message: 'expected at most 50 issuers' });
      }
      for (const issuer of Object.keys(providers)) {
        const message = issuerProblem(issuer);
        if (message !== undefined) context.addIssue({ code: 'custom', message, path: [issuer] });
      }
    })
    .default({}),
  acceptDefaultAudience: z.boolean().default(false).meta({
    description: "Take the workloads' usual tokens too, which are for the team and not for one project",
  }),
});
export type TrustedSources = z.output<typeof trustedSourcesSchema>;

function issuerProblem(issuer: string): string | undefined {
  const url = issuer.length > 512 ? null : URL.parse(issuer);
  if (url === null) return 'expected the issuer as a URL such as https://token.actions.githubusercontent.com';
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `expected https:, received ${url.protocol}`;
  if (url.username !== '' || url.password !== '') return 'an issuer must not carry a user name or password';
  if (/[?#]/.test(issuer)) return 'an issuer has no query and no fragment';
  if (/[^\x21-\x7e]|\\/.test(issuer)) return 'expected printable ASCII without spaces and backslashes';
  return undefined;
}

type Demand = { readonly who: string; readonly all: readonly string[]; readonly oneOf: readonly string[] };

/**
 * What says who a token is of, by issuer. With `aud` alone everyone would be let in who can get a token of that issuer,
 * and of a public one everyone can.
 */
function demandOf(issuer: string): Demand {
  const host = URL.parse(issuer)?.host ?? '';
  if (host === 'token.actions.githubusercontent.com') {
    return {
      who: 'GitHub',
      all: [],
      oneOf: ['repository', 'repository_id', 'repository_owner', 'repository_owner_id', 'sub'],
    };
  }
  if (host === 'gitlab.com') {
    return {
      who: 'GitLab',
      all: [],
      oneOf: ['project_path', 'project_id', 'namespace_path', 'namespace_id', 'sub'],
    };
  }
  if (host === 'api.bitbucket.org') {
    return { who: 'Bitbucket', all: [], oneOf: ['workspaceUuid', 'repositoryUuid', 'sub'] };
  }
  if (host === 'oidc.vercel.com') {
    return { who: 'Vercel', all: ['owner_id'], oneOf: ['project_id', 'sub'] };
  }
  return { who: 'this issuer', all: [], oneOf: ['sub'] };
}

/** Why the claims of an entry do not say enough, in words; undefined when they do. */
export function claimsProblem(
  issuer: string,
  claims: readonly string[],
  { who, all, oneOf }: Demand = demandOf(issuer),
): string | undefined {
  const missing = ['aud', ...all].filter((claim) => !claims.includes(claim));
  if (missing.length > 0) return `for ${who} the claims must name ${missing.map(quote).join(' and ')}`;
  if (claims.some((claim) => oneOf.includes(claim))) return undefined;
  return `for ${who} the claims must name ${oneOf.map(quote).join(' or ')}: "aud" alone would let in everyone who can get a token there`;
}

/** Other teams of this instance: their tokens are ours, so the team must be named by its id. */
export const ownIssuerDemand: Demand = {
  who: 'another team',
  all: ['owner_id'],
  oneOf: ['project_id', 'sub'],
};

function quote(claim: string): string {
  return `"${claim}"`;
}
