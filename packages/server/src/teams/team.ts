import type { DeploymentType, Role } from '@tessera/contract';

/** What owns everything: projects, deployments, apps and connectors each belong to exactly one team. */
export type Team = {
  id: string;
  /** In URLs, issuers and subjects; never given out a second time, to whomever. */
  slug: string;
  name: string;
  /** Whether the team has Passport at all; without it everything of Passport is Not Found. */
  passportEnabled: boolean;
  /** What new projects begin with. */
  defaultPassport: { connectorId: string; deploymentType: DeploymentType } | undefined;
  /** The algorithm of the team's workload tokens. */
  workloadAlgorithm: 'RS256' | 'ES256';
  createdAt: number;
  updatedAt: number;
};

export type Membership = { teamId: string; userId: string; role: Role; createdAt: number };
