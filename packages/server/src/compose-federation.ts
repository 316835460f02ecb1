import type { ApiTokens } from '#api-tokens';
import type { Apps } from '#apps';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Config } from '#config';
import type { Database } from '#database';
import type { Deployments } from '#deployments';
import type { GuardedFetch } from '#fetch';
import type { Keys } from '#keys';
import type { Limits } from '#limits';
import type { Project, Projects } from '#projects';
import { createTrustedSources, listTrustingProjects } from '#protection';
import { createRemoteIssuers, type RemoteKeys } from '#remote-keys';
import type { Team, Teams } from '#teams';
import type { Users } from '#users';
import {
  createExchange,
  createFindLiveWorkload,
  createRenames,
  createTrust,
  createWorkloads,
  isForkToken,
} from '#workloads';

/** Builds what workloads are known by: their tokens, what these rest on, and who takes them. */
export function composeFederation({
  services,
  records,
  urls,
  address,
}: {
  services: {
    database: Database;
    clock: Clock;
    audit: Audit;
    keys: Keys;
    limits: Limits;
    fetch: GuardedFetch;
    remoteKeys: RemoteKeys;
  };
  records: {
    users: Users;
    teams: Teams;
    projects: Projects;
    deployments: Deployments<Project, Team>;
    apps: Apps;
    apiTokens: ApiTokens;
  };
  urls: Config['urls'];
  address: { protocol: string; port: string };
}) {
  const { database, clock, audit, keys, limits, fetch, remoteKeys } = services;
  const { users, teams, projects, deployments, apps, apiTokens } = records;
  const remoteIssuers = createRemoteIssuers({ fetch, remoteKeys, clock });
  const trust = createTrust({
    database,
    clock,
    audit,
    limits,
    remoteIssuers,
    validateUrl: fetch.validate,
    holdTeam: teams.hold,
    findTeam: async (idOrSlug) => (await teams.find(idOrSlug)) ?? teams.findBySlug(idOrSlug),
    findProject: projects.find,
    ownUrls: Object.values(urls),
  });
  const restingOn = {
    findTeam: teams.find,
    findProject: projects.find,
    findDeployment: deployments.find,
    findMembership: teams.findMembership,
    findUser: users.find,
    isApiTokenRevoked: apiTokens.isRevoked,
    hasTrustGrant: trust.hasGrant,
  };
  const findLiveWorkload = createFindLiveWorkload({ ...restingOn, database, keys, oidc: urls.oidc });
  const trustedSources = createTrustedSources({
    findLiveWorkload,
    isForkToken,
    remoteIssuers,
    findByHost: deployments.findByHost,
    urls,
    address,
  });
  const minting = {
    database,
    clock,
    audit,
    keys,
    limits,
    urls,
    isTrustingHost: trustedSources.isTrustingHost,
  };
  return {
    /** For introspection: a workload token, or the token of a trust policy. */
    findLiveWorkload: async (token: string) =>
      (await trust.introspect(token)) ?? (isSigned(token) ? findLiveWorkload(token) : undefined),
    trustedSources,
    trust,
    workloads: createWorkloads(minting),
    exchange: createExchange({ ...restingOn, ...minting }),
    renames: createRenames({
      ...restingOn,
      urls,
      listProjects: projects.listAll,
      listTrust: [
        apps.listTrust,
        trust.listNaming,
        async (teamId, projectIds) => listTrustingProjects(await projects.listAll(teamId), projectIds),
      ],
    }),
  };
}

/** A JWS in compact form: no refresh token of ours is one. */
function isSigned(token: string): boolean {
  return token.split('.').length === 3;
}
