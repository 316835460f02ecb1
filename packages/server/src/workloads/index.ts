// Workload identity: mints the tokens that say which team, project and environment a build, a running deployment or
// a development machine is, exchanges them and looks whether they are in force. Owns their claims, lives, reuse,
// audiences and policy, and the table of what they do not say themselves; trust in workloads of other platforms, with
// its policies and the tokens that they give. Owns no key (`keys`), publishes no document
// (`issuers`), and does not know how a token reaches its workload (`gateway`, the REST door here).
export type { MintedToken, Workloads, WorkloadsNeeds } from './workloads.ts';
export { createWorkloads } from './workloads.ts';
export type {
  GitFacts,
  Runtime,
  Workload,
  WorkloadDeployment,
  WorkloadProject,
  WorkloadTeam,
} from './workload.ts';
export type { Exchange, ExchangedToken, ExchangeNeeds, ExchangeRequest } from './exchange/exchange.ts';
export { createExchange } from './exchange/exchange.ts';
export type { FindLiveWorkload } from './introspection.ts';
export { createFindLiveWorkload } from './introspection.ts';
export { isForkToken } from './verifying.ts';
export type { FindStsCredentials, StsCredentials } from './sts-credentials.ts';
export { createStsCredentials } from './sts-credentials.ts';
export { createRenames, type Renames } from './renames.ts';
export { workloadTokenMigrations } from './workload-token-migrations.ts';
export { createWorkloadTokenPurge } from './workload-token-store.ts';
export { createTrust, type Trust, type TrustedWorkload } from './trust/trust.ts';
export { trustPolicyMigrations } from './trust/trust-policy-migrations.ts';
export { createTrustTokenPurge } from './trust/trust-policy-store.ts';
export { createTrustRest } from './trust/trust-rest.ts';
export type { WorkloadRestNeeds } from './workload-rest.ts';
export { createWorkloadRest } from './workload-rest.ts';
