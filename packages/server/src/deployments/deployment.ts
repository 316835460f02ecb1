import type { DeploymentHost, Git, HostKind, Permission } from '@tessera/contract';

/** One running version of a project in one environment: a service behind the gateway. */
export type Deployment = {
  id: string;
  teamId: string;
  projectId: string;
  environment: string;
  /** Origin of the service behind the gateway. */
  upstream: string;
  git: Git | undefined;
  /** What set its build off, in the builder's word. */
  trigger?: string | undefined;
  workloadSecretHash: string;
  createdAt: number;
};

export type DeploymentWithHosts = Deployment & { hosts: readonly DeploymentHost[] };

/** Whose a host is, or was; without a deployment it answers nothing at present. */
export type HostOwner = {
  teamId: string;
  projectId: string;
  environment: string;
  deploymentId: string | null;
};

/** A host that was asked for, and what answers there. */
export type Located<Project, Team> = {
  host: string;
  hostKind: HostKind;
  deployment: Deployment;
  project: Project;
  team: Team;
};

/**
 * Who may create and delete deployments of an environment. Whatever is not a preview counts as production, so that a
 * new environment never is an easier way in.
 */
export function permissionFor(environment: string): Permission {
  return environment === 'preview' ? 'deployment:write:preview' : 'deployment:write:production';
}
