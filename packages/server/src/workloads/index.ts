// Workload identity: mints the tokens that say which team, project and environment a build, a running deployment or
// a development machine is. Owns their claims, lives, reuse and audiences. Owns no key (`keys`), publishes no document
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
export type { WorkloadRestNeeds } from './workload-rest.ts';
export { createWorkloadRest } from './workload-rest.ts';
