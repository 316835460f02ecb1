import { z } from 'zod';
import {
  hostSchema,
  idOrNameSchema,
  nameSchema,
  teamQuery,
  timeSchema,
  triggerSchema,
  webUrlSchema,
} from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';

export const hostKindSchema = z.enum(['generated', 'alias', 'custom']);
export type HostKind = z.infer<typeof hostKindSchema>;

export const deploymentHostSchema = z.strictObject({ host: hostSchema, kind: hostKindSchema });
export type DeploymentHost = z.infer<typeof deploymentHostSchema>;

/** Where a deployment came from. Carried into its workload tokens; `fork` keeps a stranger's build apart. */
export const gitSchema = z.strictObject({
  provider: z.string().min(1).max(64).optional(),
  repository: z.string().min(1).max(256).optional(),
  ref: z.string().min(1).max(256).optional(),
  sha: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/, 'expected a commit hash in hexadecimal')
    .optional(),
  message: z.string().max(1_000).optional(),
  author: z.string().max(256).optional(),
  pullRequest: z.int().positive().optional(),
  fork: z.boolean().optional(),
});
export type Git = z.infer<typeof gitSchema>;

/** The origin of the service behind the gateway: scheme, host and port; the visitor's path is kept as it is. */
export const upstreamSchema = webUrlSchema.refine(
  (value) => {
    const url = URL.parse(value);
    return url === null || (url.pathname === '/' && url.search === '');
  },
  { message: 'expected scheme, host and port alone, such as http://127.0.0.1:3000' },
);

export const deploymentSchema = z.strictObject({
  id: z.string(),
  teamId: z.string(),
  projectId: z.string(),
  environment: z.string(),
  url: z.string().meta({ description: 'The address of its generated host' }),
  hosts: z.array(deploymentHostSchema),
  upstream: z.string(),
  git: gitSchema.nullable(),
  trigger: z.string().nullable(),
  createdAt: timeSchema,
});
export type DeploymentDocument = z.infer<typeof deploymentSchema>;

export const createDeploymentBody = z.strictObject({
  projectId: idOrNameSchema.meta({ description: 'Id or name of the project' }),
  environment: nameSchema,
  hosts: z.array(deploymentHostSchema).max(50).optional(),
  autoAssignCustomDomains: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether the proven domains of its project and environment lead here from now on' }),
  upstream: upstreamSchema,
  git: gitSchema.optional(),
  trigger: triggerSchema.optional(),
});
export const createDeploymentAnswer = deploymentSchema.extend({
  workloadSecret: z.string().meta({ description: 'Shown once: give it to the deployment' }),
});
export const rotateWorkloadSecretBody = z.strictObject({
  previousExpiresInSeconds: z
    .int()
    .min(0)
    .max(604_800)
    .default(86_400)
    .meta({ description: 'How long the secret from before counts beside the new one; 0 when it was stolen' }),
});
export const rotateWorkloadSecretAnswer = z.strictObject({
  id: z.string(),
  workloadSecret: z.string().meta({ description: 'Shown once: give it to the deployment' }),
  previousExpiresAt: timeSchema,
});
export const deploymentParams = z.strictObject({ id: z.string().min(1).max(64) });
export const listDeploymentsQuery = z.strictObject({
  ...teamQuery,
  ...pageQuery,
  projectId: idOrNameSchema.meta({ description: 'Id or name of the project' }),
  environment: nameSchema.optional(),
});
export const listDeploymentsAnswer = z.strictObject({
  deployments: z.array(deploymentSchema).meta({ description: 'The newest first' }),
  pagination: paginationSchema,
});
export const deploymentQuery = z.strictObject(teamQuery);
