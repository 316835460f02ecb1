import { createAppLogoRest, createAppRest, type Apps } from '#apps';
import { createAttemptRest, type Attempts } from '#attempts';
import type { Audit } from '#audit';
import type { Codes } from '#codes';
import type { Config } from '#config';
import { createConnectorRest, type Connectors } from '#connectors';
import { createAuthorizedAppRest } from '#consents';
import type { SetupLinks } from '#credentials';
import type { Database } from '#database';
import { createDeploymentRest, type Deployments } from '#deployments';
import { createExplainRest, type GatewayNeeds } from '#gateway';
import type { RestDoor } from '#http';
import { createKeyRest } from '#keys';
import { createLogoutRest, type Logout } from '#logout';
import { createProjectRest, type Project, type Projects } from '#projects';
import { createAccessPolicyRest, createBypassRest, type Bypasses } from '#protection';
import { createProviderRest } from '#providers';
import type { DeviceRequests } from '#requests';
import {
  createAuditLogRest,
  createOpenApiRest,
  createUserRest,
  createUserStandingRest,
  type UserStandingNeeds,
} from '#rest';
import { createTeamFeatureRest, createTeamRest, type Team, type Teams } from '#teams';
import type { Tokens } from '#tokens';
import type { Users } from '#users';
import { createVisitorRest, type Visitors } from '#visitors';
import { createTrustRest, createWorkloadRest, type Trust, type Renames, type Workloads } from '#workloads';

/** The rooms that have doors in the REST API, and what these are told of each other. */
export type RestRooms = {
  config: Config;
  database: Database;
  audit: Audit;
  address: Parameters<typeof createDeploymentRest>[0]['address'];
  users: Users;
  teams: Teams;
  setupLinks: SetupLinks;
  projects: Projects;
  deployments: Deployments<Project, Team>;
  connectors: Connectors;
  connectorCheck: { discover: Parameters<typeof createConnectorRest>[0]['discover'] };
  speaking: Omit<Parameters<typeof createProviderRest>[0], 'findProject'>;
  hashPassword: (password: string) => Promise<string>;
  validateUrl: (url: string) => unknown;
  apps: Apps;
  logos: Parameters<typeof createAppLogoRest>[0]['logos'];
  authorizedApps: Parameters<typeof createAuthorizedAppRest>[0]['authorizedApps'];
  tokens: Tokens;
  codes: Codes;
  deviceRequests: DeviceRequests;
  workloads: Workloads;
  trust: Trust;
  renames: Renames;
  attempts: Attempts;
  logout: Logout;
  visitors: Visitors;
  sessions: { listForUser: UserStandingNeeds['listSessions'] };
  personTokens: { endAllOfPerson: UserStandingNeeds['endTokens'] };
  keyRotation: Parameters<typeof createKeyRest>[0]['rotation'];
  bypasses: Bypasses;
  gatewayNeeds: GatewayNeeds;
};

/** Every door of the REST API: each room's own, in one list. */
export function createRestDoors(rooms: RestRooms): readonly RestDoor[] {
  const { config, database, audit, address, users, teams, setupLinks, projects, deployments } = rooms;
  const { connectors, connectorCheck, speaking, apps, logos, authorizedApps, tokens, workloads } = rooms;
  const { attempts, logout, visitors, keyRotation, renames, bypasses, gatewayNeeds } = rooms;
  const { clock, wire } = gatewayNeeds;
  const findConnector = connectors.findOfTeam;
  return [
    createUserRest({ findUser: users.find }),
    createUserStandingRest({
      database,
      audit,
      users,
      listSessions: rooms.sessions.listForUser,
      endSession: logout.endSession,
      endTokens: rooms.personTokens.endAllOfPerson,
    }),
    createTeamRest({
      teams,
      database,
      audit,
      users,
      findConnector,
      describeRename: renames.ofTeam,
      invitation: setupLinks.invitation,
    }),
    createTeamFeatureRest({ teams, findUser: users.find, passportUsage: projects.passportUsage }),
    createProjectRest({
      projects,
      findTeam: teams.find,
      findConnector,
      findHostOwner: deployments.findHostOwner,
      hashPassword: rooms.hashPassword,
      describeRename: renames.ofProject,
      issuers: { validateUrl: rooms.validateUrl, oidc: config.urls.oidc },
      ownUrls: Object.values(config.urls),
    }),
    createDeploymentRest({ deployments, findProject: projects.find, address }),
    createConnectorRest({
      connectors,
      connectUrl: config.urls.connect,
      projectsWith: projects.listNamesWithConnector,
      discover: connectorCheck.discover,
      countTest: speaking.testLimits.count,
    }),
    createProviderRest({ ...speaking, findProject: projects.find }),
    createAppRest({
      apps,
      database,
      audit,
      endTokens: (clientId) => [
        ...tokens.endAllOfClient(clientId),
        rooms.codes.expireAllOfClient(clientId),
        rooms.deviceRequests.expireAllOfClient(clientId),
      ],
      findUser: users.find,
      findProject: projects.find,
    }),
    createAuthorizedAppRest({ authorizedApps }),
    createAppLogoRest({ apps, logos }),
    createTrustRest({ trust: rooms.trust }),
    createWorkloadRest({
      workloads,
      findTeam: teams.find,
      findProject: projects.find,
      findDeployment: deployments.find,
    }),
    createAttemptRest({ attempts }),
    createLogoutRest({ logout, findApp: apps.find }),
    createVisitorRest({ visitors, database, audit }),
    createAccessPolicyRest({
      visitors,
      findProject: projects.find,
      findByHost: deployments.findByHost,
    }),
    createBypassRest({ bypasses, clock, projects, deployments, address, wire }),
    createExplainRest(gatewayNeeds),
    createAuditLogRest({ audit }),
    createKeyRest({ rotation: keyRotation, findUser: users.find }),
    createOpenApiRest({ api: config.urls.api, version: '0.1.0' }),
  ].flat();
}
