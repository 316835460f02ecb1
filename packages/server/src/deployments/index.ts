// Deployments: what runs behind the gateway, at which hosts, for which project and environment. Owns the tables
// `deployments`, `deploymentHosts` (every host there ever was), `projectDomains` (which domains projects say are theirs)
// and `verifiedDomains` (whose the DNS says they are). Not who may pass (protection) nor how a request gets there
// (gateway).
export type { Deployment, DeploymentWithHosts, Located } from './deployment.ts';
export { deploymentMigrations } from './deployment-migrations.ts';
export { createDeploymentRest, type DeploymentRestNeeds } from './deployment-rest.ts';
export type { Join } from './deployment-store.ts';
export {
  createDeployments,
  type Deployments,
  type DeploymentsNeeds,
  type NewDeployment,
} from './deployments.ts';
export { domainMigrations } from './domains/domain-migrations.ts';
export type { HostSpace } from './host.ts';
export { isLocalhost, localhostAddresses, portOf } from './upstream.ts';
export { createUpstreamAddresses, type UpstreamAddresses } from './upstream-addresses.ts';
