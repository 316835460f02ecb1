import { wireNames } from '@tessera/protocol';
import { createAccount, pageErrors } from '#account';
import { createApiTokens } from '#api-tokens';
import { createAppLogos, createAppRegistrations, createApps, createCommandLine, isVerifiedApp } from '#apps';
import { createAttempts } from '#attempts';
import { createAudit } from '#audit';
import { createClients } from '#clients';
import { createChanges } from '#changes';
import type { Clock } from '#clock';
import { createCodes } from '#codes';
import type { Config } from '#config';
import { createConnectDoor, createConnectorKeySetDoor } from '#connect';
import { createConnectors } from '#connectors';
import { createAuthorizedApps, createConsents } from '#consents';
import { createCredentials, createSetupLinks } from '#credentials';
import { migrate, openDatabase, type Database, type DatabaseAddress } from '#database';
import { createDeployments, createUpstreamAddresses } from '#deployments';
import { createTextLookup } from '#dns';
import { createDpop } from '#dpop';
import { createGuardedFetch } from '#fetch';
import { createGateway, type GatewayNeeds } from '#gateway';
import { createOperationsDoor, problemAnswer } from '#http';
import { createExchangeDoor, createOidcDoor, createPassportDoor } from '#issuers';
import { createJobs, createPurging } from '#jobs';
import { createKeys } from '#keys';
import { createLimits } from '#limits';
import type { Logger } from '#logger';
import { createLogout } from '#logout';
import { createOAuth } from '#oauth';
import { createPages, errorPage } from '#pages';
import { createPasswords } from '#passwords';
import { createBypasses, evaluateAccessPolicy } from '#protection';
import { createProjects, projectConnectorUse, projectJoin } from '#projects';
import {
  createConnectorCheck,
  createKeptTokens,
  createLiveTests,
  createProviders,
  createSessionRefresh,
  createTestLimits,
} from '#providers';
import { createRemoteKeys } from '#remote-keys';
import { createDeviceRequests, createPushedRequests, createRequests } from '#requests';
import { createProtectedResource, createRestDoor } from '#rest';
import { createSealing } from '#sealing';
import { createSessions } from '#sessions';
import { createTeams, hasPassport, isMember, teamConnectorUse, teamJoin } from '#teams';
import { createPersonTokens, createSessionTokens, createTokens } from '#tokens';
import { createUsers, isEnabled } from '#users';
import { createVisitors } from '#visitors';
import { composeFederation } from './compose-federation.ts';
import { composeRotation } from './compose-keys.ts';
import { composeListeners } from './compose-listeners.ts';
import { migrations } from './migrations.ts';
import { createPurges } from './purges.ts';
import { createRestDoors } from './rest-doors.ts';

export type TesseraNeeds = {
  config: Config;
  masterKey: Uint8Array;
  clock: Clock;
  logger: Logger;
  /** A test that shows what a broken database would do hands in its own. */
  openDatabase?: (address: DatabaseAddress, clock: Clock) => Database;
};

export type Tessera = {
  /** Answers requests. `setupLink` makes the first administrator; undefined once there is one. */
  listen(): Promise<{ origin: string; setupLink: string | undefined }>;
  /** Lets running requests end, then closes listeners and database. */
  close(): Promise<void>;
};

/** Builds every room once, from the ground up, and mounts their doors: the plan of the house. */
export async function createTessera(needs: TesseraNeeds): Promise<Tessera> {
  const { config, clock, logger } = needs;
  const { urls } = config;
  const wire = wireNames(config.wirePrefix);

  // Ground and building
  const database = (needs.openDatabase ?? openDatabase)(config.database, clock);
  await migrate(database, migrations);
  const sealing = createSealing(needs.masterKey);
  const passwords = createPasswords();
  // A queue of their own: nobody who knocks at a deployment keeps people from logging in.
  const deploymentPasswords = createPasswords({ places: 1, waiting: 16 });
  const pages = createPages({ origin: urls.origin });
  const fetch = createGuardedFetch({ allowPrivateHosts: config.allowPrivateHosts });
  const remoteKeys = createRemoteKeys({ fetch, clock });

  // Services
  const codes = createCodes({ database });
  const audit = createAudit({ database, clock });
  const changes = createChanges({ database, clock });
  const recording = { database, clock, audit, changes };
  const signing = { database, sealing, clock, logger, policy: config.keys };
  const keys = createKeys({ ...signing, globalIssuer: urls.oidc });
  await keys.start();
  const dpop = createDpop({ database, sealing, clock });
  const jobs = createJobs({ database, logger });
  const limits = createLimits({ database, sealing });

  // Records
  const users = createUsers({ database, clock, changes });
  const sessions = createSessions({ database, clock });
  const connectorCheck = createConnectorCheck({ fetch, remoteKeys });
  const connectors = createConnectors({
    ...recording,
    sealing,
    check: connectorCheck,
    uses: [projectConnectorUse, teamConnectorUse],
    endOf: (connector) => visitors.endOfConnector(connector),
  });
  const teams = createTeams({ ...recording, holdConnector: connectors.hold, oidcUrl: urls.oidc });
  const { clientIdDocuments } = config;
  const apps = createApps({ ...recording, sealing, wire, clientIdDocuments });
  if (config.cliClientId !== undefined) {
    await createCommandLine({ database, clock, audit }).seed(config.cliClientId);
  }
  const registrations = createAppRegistrations({ ...recording, wire, prepareSecret: apps.prepareSecret });
  const logos = createAppLogos({ database, clock, audit });
  const consents = createConsents({ database, clock });
  const requests = createRequests({ database });
  const pushedRequests = createPushedRequests({ database, clock });
  const deviceRequests = createDeviceRequests({ database, sealing });
  const attempts = createAttempts({ database, clock });
  const visitors = createVisitors({ database, clock, changes, platformAccounts: [isMember, isEnabled] });
  const keyRotation = composeRotation({ ...signing, keys, audit, visitors });
  const address = config.deployments ?? { protocol: 'https:', port: '' };
  const roleUrls = Object.values(urls).map((url) => new URL(url));
  const upstreamAddresses = createUpstreamAddresses({
    allow: config.upstreamAllow,
    ownPorts: () => listeners.ports(),
  });
  const deployments = createDeployments({
    ...recording,
    joins: { project: projectJoin, team: teamJoin },
    hostSpace: {
      domain: config.deployments?.domain,
      roleHosts: roleUrls.map(({ hostname }) => hostname),
      development: config.development,
    },
    upstreamAddresses,
    ownHosts: roleUrls.map(({ host }) => host),
    limits,
    lookUpText: createTextLookup({ servers: config.dnsServers }),
    holdProject: (id) => projects.hold(id),
  });
  const projects = createProjects({
    ...recording,
    holdConnector: connectors.hold,
    teamHasPassport: hasPassport,
    endOf: [deployments.endOfProject, visitors.endOfProject],
    endOfPassword: visitors.endOfPassword,
  });
  const bypasses = createBypasses({ database, clock, audit, sealing, limits, holdProject: projects.hold });
  const apiTokens = createApiTokens({
    ...recording,
    findMembership: teams.findMembership,
    findProject: projects.find,
  });
  // Abilities
  const credentials = createCredentials({ database, clock, limits, passwords, users });
  const setupLinks = createSetupLinks({ codes, origin: urls.origin });
  const tokens = createTokens({ database, clock, audit, keys, wire, urls });
  const logout = createLogout({
    database,
    clock,
    jobs,
    keys,
    fetch,
    issuer: urls.origin,
    findApp: apps.find,
    endSession: sessions.end,
    tokens: createSessionTokens(database),
  });
  const { findLiveWorkload, trustedSources, workloads, exchange, renames, trust } = composeFederation({
    services: { database, clock, audit, keys, limits, fetch, remoteKeys },
    records: { users, teams, projects, deployments, apps, apiTokens },
    urls,
    address,
  });
  const clients = createClients({
    database,
    clock,
    apps,
    remoteKeys,
    keys,
    issuer: urls.origin,
    tokenEndpoint: `${urls.api}/login/oauth/token`,
    oidc: urls.oidc,
    findLiveWorkload,
    limits,
  });
  const speaking = { fetch, remoteKeys, connectors, clock, connectUrl: urls.connect };
  const providers = createProviders(speaking);
  const keptTokens = createKeptTokens(sealing);
  const liveTests = createLiveTests({
    database,
    clock,
    audit,
    codes,
    attempts,
    connectors,
    findMembership: teams.findMembership,
    urls,
  });
  const findPassport = async (teamId: string, projectId: string) =>
    (await projects.find(teamId, projectId))?.passport;
  const sessionRefresh = createSessionRefresh({
    jobs,
    audit,
    visitors,
    findConnector: connectors.find,
    providers,
    keptTokens,
    findPassport,
    evaluatePolicy: evaluateAccessPolicy,
  });

  const personTokens = createPersonTokens(database);
  const authorizedApps = createAuthorizedApps({
    database,
    audit,
    consents,
    describeApp: async (appId) => {
      const app = await apps.find(appId);
      if (app === undefined) return undefined;
      const team = await teams.find(app.teamId);
      return { ...app, teamName: team?.name, verified: isVerifiedApp(app) };
    },
    ...personTokens,
  });

  // Doors
  const account = createAccount({
    ...urls,
    deployments: address,
    clock,
    codes,
    database,
    audit,
    sealing,
    pages,
    findLogo: logos.find,
    users,
    sessions,
    credentials,
    setupLinks,
    teams,
    projects,
    apiTokens,
    authorizedApps,
    liveTests,
    endSession: logout.endSession,
  });
  const oauth = createOAuth({
    urls,
    database,
    clock,
    audit,
    codes,
    keys,
    apps,
    consents,
    requests,
    deviceRequests,
    pushedRequests,
    tokens,
    authenticateClient: clients.authenticate,
    dpop,
    limits,
    fetch,
    registrations,
    registration: config.registration,
    clientIdDocuments,
    openIntrospection: config.openIntrospection,
    attempts,
    pages,
    users,
    exchangeWorkloadToken: exchange,
    exchangeOutsideToken: trust.exchange,
    findLiveWorkload,
    findTeam: teams.find,
    findMembership: teams.findMembership,
    listTeams: (userId) => teams.listForUser(userId),
    redirects: { findDeployment: async (host) => (await deployments.findByHost(host))?.deployment, address },
    findBrowser: account.browser,
    forgetLogin: account.forget,
    requireLiveSession: sessions.requireLive,
    endSession: logout.endSession,
  });
  const connect = createConnectDoor({
    database,
    clock,
    audit,
    visitors,
    codes,
    attempts,
    connectors,
    providers,
    keptTokens,
    sealing,
    logger,
    findSetting: projects.findSetting,
    findUser: users.find,
    findMembership: teams.findMembership,
    originUrl: urls.origin,
    testPageOf: liveTests.pageOf,
    finishTest: liveTests.finish,
    connectUrl: urls.connect,
    deployments: address,
    finishPath: wire.finishPath,
  });
  const gatewayNeeds: GatewayNeeds = {
    database,
    clock,
    logger,
    audit,
    codes,
    keys,
    attempts,
    visitors,
    scheduleRefresh: sessionRefresh.schedule,
    trustedSources,
    limits,
    sealing,
    visitPasswords: { find: projects.findPassword, verify: deploymentPasswords.verify },
    workloads,
    deployments,
    bypasses,
    wire,
    urls,
    address,
    upstreamAddresses,
    upstreams: config.upstreams,
    drainMilliseconds: config.drainSeconds * 1000,
  };
  const rest = createRestDoor({
    clock,
    api: urls.api,
    authenticateApiToken: apiTokens.authenticate,
    authenticateTrusted: trust.authenticate,
    findAccessToken: oauth.findApiAccess,
    verifySender: dpop.verifySender,
    findUser: users.find,
    findTeam: teams.find,
    findTeamBySlug: teams.findBySlug,
    findMembership: teams.findMembership,
    listTeamsOfUser: teams.listForUser,
    doors: createRestDoors({
      config,
      database,
      audit,
      address,
      users,
      teams,
      setupLinks,
      projects,
      deployments,
      connectors,
      connectorCheck,
      speaking: { ...speaking, liveTests, testLimits: createTestLimits({ database, limits }) },
      hashPassword: deploymentPasswords.hash,
      validateUrl: fetch.validate,
      apps,
      logos,
      authorizedApps,
      tokens,
      codes,
      deviceRequests,
      workloads,
      renames,
      trust,
      attempts,
      logout,
      visitors,
      sessions,
      personTokens,
      keyRotation,
      bypasses,
      gatewayNeeds,
    }),
  });
  // Also by a slug from before: tokens that name it live on for a while, and their verifiers need its documents.
  const issuing = { keys, clock, urls, findTeam: teams.findByAnySlug };

  const protectedResource = createProtectedResource(urls);
  const identityDoors = [
    {
      base: urls.origin,
      doors: [oauth.originDoor, ...account.doors(oauth)],
      errors: pageErrors(pages),
    },
    { base: urls.api, doors: [oauth.apiDoor, rest], direct: oauth.apiRoutes, errors: problemAnswer },
    { base: protectedResource.base, doors: [protectedResource.door], errors: problemAnswer },
    {
      base: urls.oidc,
      doors: [createExchangeDoor({ exchange }), createOidcDoor(issuing)],
      errors: problemAnswer,
    },
    { base: urls.passport, doors: [createPassportDoor(issuing)], errors: problemAnswer },
    // It may be a host of its own, where the origin's style sheet is not: its pages carry their style.
    {
      base: urls.connect,
      doors: [createConnectorKeySetDoor({ connectors }), connect],
      errors: pageErrors({ errorPage }),
    },
  ];
  const purges = createPurges({ database, liveTests, limits, registrations });
  jobs.register('purge', createPurging({ database, logger, purges }));
  jobs.register('passport-usage', projects.recordPassportUsage);
  jobs.register('keys.keep', keyRotation.work);

  const gateway = createGateway(gatewayNeeds);
  const listeners = composeListeners({
    config,
    logger,
    requestIdHeader: wire.requestIdHeader,
    gateway,
    identityDoors,
    operationsDoor: createOperationsDoor({
      isReady: database.isAnswering,
      findByHost: deployments.findByHost,
    }),
    workloads: { config, database, logger, limits, fetch, teams, projects, deployments, workloads },
  });
  return {
    async listen() {
      await listeners.open();
      // What waits for a moment to be done: by the processes that also know whose it is.
      if (config.roles.includes('identity')) {
        await database.write(['purge', 'passport-usage', 'keys.keep'].map((kind) => jobs.enqueueOnce(kind)));
        jobs.start();
      }
      if (await users.hasAny()) return { origin: urls.origin, setupLink: undefined };
      const { url, statement } = setupLinks.administrator();
      await database.write([statement]);
      return { origin: urls.origin, setupLink: url };
    },

    async close() {
      // Together: a listener waits for WebSockets, which only the gateway can end.
      await Promise.all([listeners.close(), gateway.close()]);
      await jobs.stop();
      await keys.stop();
      await fetch.close();
      await database.close();
    },
  };
}
