import type { MintPolicy } from '@tessera/contract';
import { formatWorkloadSubject } from '@tessera/protocol';
import type { JWTPayload } from 'jose';

/** Where a token is used: that says how long it lives. */
export type Runtime = 'build' | 'function' | 'development';

/** What is known of where a deployment's code came from. */
export type GitFacts = {
  provider?: string | undefined;
  repository?: string | undefined;
  ref?: string | undefined;
  sha?: string | undefined;
  pullRequest?: number | undefined;
  fork?: boolean | undefined;
};

export type WorkloadTeam = { id: string; slug: string; workloadAlgorithm: 'RS256' | 'ES256' };
export type WorkloadProject = {
  id: string;
  name: string;
  oidcTokenConfig: {
    enabled: boolean;
    issuerMode: 'team' | 'global';
    subjectForm: 'names' | 'ids';
    /** Audiences beside the default one that may be asked for. */
    audiences: readonly string[];
    /** Which builds get a token at all. */
    mintPolicy?: MintPolicy | null | undefined;
  };
};
export type WorkloadDeployment = {
  id: string;
  environment: string;
  git?: GitFacts | null | undefined;
  trigger?: string | undefined;
};

/** A build, a running deployment or a development machine, and on whose behalf. */
export type Workload = {
  team: WorkloadTeam;
  project: WorkloadProject;
  environment: string;
  runtime: Runtime;
  deployment?: WorkloadDeployment | undefined;
  /** Development alone: the person who asked. */
  userId?: string | undefined;
  /** What is built, where no deployment says it. */
  git?: GitFacts | undefined;
  /** What set it off, where known: `push`, `schedule`. */
  trigger?: string | undefined;
  /** A person has a shell in it. */
  interactive?: boolean | undefined;
};

/** Seconds. A build and a person ask again; a running deployment is given a new one by the gateway in time. */
export const lifetimeSeconds: Readonly<Record<Runtime, number>> = {
  build: 3_600,
  function: 7_200,
  development: 3_600,
};

/** Seconds a token lives that is a client assertion: for the one request that it is minted for (RFC 7523, 3). */
export const assertionLifetimeSeconds = 300;

/** `iss`: the team's own issuer or the one for all, as the project chose. */
export function issuerOf(oidcUrl: string, workload: Pick<Workload, 'team' | 'project'>): string {
  return workload.project.oidcTokenConfig.issuerMode === 'team'
    ? `${oidcUrl}/${workload.team.slug}`
    : oidcUrl;
}

/** The audience of a token for which none was asked. */
export function defaultAudience(originUrl: string, team: { slug: string }): string {
  return `${originUrl}/${team.slug}`;
}

/** `sub`: by names, which people can read, or by ids, which no rename changes. */
export function subjectOf({
  team,
  project,
  environment,
}: Pick<Workload, 'team' | 'project' | 'environment'>): string {
  return project.oidcTokenConfig.subjectForm === 'names'
    ? formatWorkloadSubject({ form: 'names', teamSlug: team.slug, projectName: project.name, environment })
    : formatWorkloadSubject({ form: 'ids', teamId: team.id, projectId: project.id, environment });
}

// A verifier whose clock is a little behind would refuse a token that is valid from this very second.
export const clockDifferenceSeconds = 30;

/** All claims of federation.md, "Token". `issuedAt` in seconds. */
export function workloadClaims(
  workload: Workload,
  issue: { issuer: string; audience: string; id: string; issuedAt: number; lifetimeSeconds: number },
): JWTPayload & { sub: string; exp: number } {
  const { team, project, environment, deployment } = workload;
  const subject = subjectOf(workload);
  const git = gitOf(workload);
  return {
    iss: issue.issuer,
    aud: issue.audience,
    sub: subject,
    scope: subject,
    owner: team.slug,
    owner_id: team.id,
    project: project.name,
    project_id: project.id,
    environment,
    runtime: workload.runtime,
    ...present({
      user_id: workload.userId,
      deployment_id: deployment?.id,
      trigger: triggerOf(workload),
      interactive: workload.interactive === true ? true : undefined,
      // Flat, since the policy languages of most clouds cannot look into an object.
      git_provider: git?.provider,
      git_repository: git?.repository,
      git_ref: git?.ref,
      git_sha: git?.sha,
      git_pull_request: git?.pullRequest,
      git_fork: git?.fork,
    }),
    iat: issue.issuedAt,
    nbf: issue.issuedAt - clockDifferenceSeconds,
    exp: issue.issuedAt + issue.lifetimeSeconds,
    jti: issue.id,
  };
}

/** Of a deployment only what is on its record counts. */
export function gitOf({ deployment, git }: Workload): GitFacts | undefined {
  return deployment === undefined ? git : (deployment.git ?? undefined);
}

export function triggerOf({ deployment, trigger }: Workload): string | undefined {
  return deployment === undefined ? trigger : deployment.trigger;
}

function present(claims: Record<string, string | number | boolean | undefined>): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
