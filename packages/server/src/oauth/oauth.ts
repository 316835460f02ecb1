import type { AppRegistrations, Apps } from '#apps';
import type { Audit } from '#audit';
import type { AuthenticateClient } from '#clients';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Consents } from '#consents';
import type { Bound, Database, Expected } from '#database';
import type { Dpop } from '#dpop';
import type { GuardedFetch } from '#fetch';
import { answerOf, newDoor, type DirectRoute, type Door, type DoorContext, type ErrorAnswer } from '#http';
import type { Keys } from '#keys';
import type { Limits } from '#limits';
import { openerKept, type Pages } from '#pages';
import type { DeviceRequests, PushedRequests, Requests } from '#requests';
import { createIdTokens, type Tokens } from '#tokens';
import { createApiAccess, type FindApiAccess } from './api-access.ts';
import { createAnswering } from './authorization/answering.ts';
import { createAuthorization } from './authorization/authorization.ts';
import { createAuthorizing } from './authorization/authorizing.ts';
import { createIdTokenHints } from './authorization/id-token-hint.ts';
import { createReading } from './authorization/reading.ts';
import { createFindPushedRequest } from './authorization/pushed.ts';
import { createSignIn, type SignIn } from './authorization/interaction.ts';
import { createDeviceAuthorization } from './device-authorization/device-authorization.ts';
import { createDeviceSignIn, type DeviceSignIn } from './device-authorization/device-interaction.ts';
import { createDiscovery } from './discovery/discovery.ts';
import type { Endpoint } from './endpoint.ts';
import { createEndSession, type EndSession } from './end-session/end-session.ts';
import { createIntrospection, type FindLiveWorkload } from './introspection/introspection.ts';
import { createJwks } from './jwks/jwks.ts';
import { createPushedAuthorizationRequest } from './pushed-authorization-request/pushed-authorization-request.ts';
import { createClientDocuments } from './registration/client-documents.ts';
import { createRegistration, type RegistrationTerms } from './registration/registration.ts';
import { createVerifySector } from './registration/sector.ts';
import { createRedirects, type RedirectNeeds } from './redirects.ts';
import { createRevocation } from './revocation/revocation.ts';
import { createProofReader } from './proof.ts';
import type {
  FindBrowser,
  FindMembership,
  FindTeamName,
  ListTeams,
  FindUser,
  SignInAttempts,
} from './shapes.ts';
import { createAuthorizationCodeGrant } from './token/grants/authorization-code.ts';
import { createClientCredentialsGrant } from './token/grants/client-credentials.ts';
import { createDeviceCodeGrant } from './token/grants/device-code.ts';
import { createRefreshTokenGrant } from './token/grants/refresh-token.ts';
import {
  createTokenExchangeGrant,
  type ExchangeOutsideToken,
  type ExchangeWorkloadToken,
} from './token/grants/token-exchange.ts';
import { createTokenEndpoint } from './token/token.ts';
import { createUserinfo } from './userinfo/userinfo.ts';

export type OAuthNeeds = {
  /** Base URLs; the origin is the issuer. */
  urls: { origin: string; api: string; oidc: string };
  database: Database;
  clock: Clock;
  audit: Audit;
  codes: Codes;
  keys: Pick<Keys, 'sign' | 'verify' | 'published'>;
  apps: Apps;
  consents: Consents;
  requests: Requests;
  deviceRequests: DeviceRequests;
  pushedRequests: PushedRequests;
  tokens: Tokens;
  authenticateClient: AuthenticateClient;
  dpop: Dpop;
  limits: Limits;
  fetch: GuardedFetch;
  registrations: AppRegistrations;
  /** Undefined: no client may register itself. */
  registration: RegistrationTerms | undefined;
  /** Whether addresses of metadata documents are client ids. */
  clientIdDocuments: boolean;
  /** Whether introspection answers whoever presents an access token alone. */
  openIntrospection: boolean;
  attempts: SignInAttempts;
  pages: Pick<Pages, 'page' | 'errorPage' | 'webMessagePage'>;
  users: { find: FindUser; findRemembered: FindUser };
  findTeam: FindTeamName;
  findMembership: FindMembership;
  listTeams: ListTeams;
  /** Which hosts are deployments of whom. */
  redirects: RedirectNeeds;
  /** The account room's. */
  findBrowser: FindBrowser;
  forgetLogin: (context: DoorContext) => void;
  /** The workloads room's. */
  exchangeWorkloadToken: ExchangeWorkloadToken;
  exchangeOutsideToken: ExchangeOutsideToken;
  findLiveWorkload: FindLiveWorkload;
  /** The sessions room's. */
  requireLiveSession: (sid: string) => Expected;
  /** The logout room's. */
  endSession: (session: { id: string; userId: string }) => readonly Bound<unknown>[];
};

export type OAuth = {
  /** At the origin: discovery, key set, authorization. */
  originDoor: Door;
  /** At the api: registration. */
  apiDoor: Door;
  /** At the api: token, userinfo, revocation, introspection and what else apps call. */
  apiRoutes: readonly DirectRoute[];
  /** For the login and consent pages. */
  signIn: SignIn;
  /** For the REST API. */
  findApiAccess: FindApiAccess;
  /** For the page that asks before a logout. */
  endSessionRequests: EndSession['requests'];
  /** For the pages of the device flow. */
  deviceSignIn: DeviceSignIn;
};

export function createOAuth(needs: OAuthNeeds): OAuth {
  const { origin, api } = needs.urls;
  const issuer = origin;
  const { authenticateClient: authenticate, users } = needs;
  const issueIdToken = createIdTokens({ keys: needs.keys, clock: needs.clock, issuer });
  const readProof = createProofReader(needs);
  const authorizing = createAuthorizing(needs);
  const redirects = createRedirects(needs.redirects);
  const verifyHint = createIdTokenHints({ keys: needs.keys, issuer });
  const endSession = createEndSession({ ...needs, origin, verifyHint });

  const originEndpoints = [
    createAuthorization({
      ...needs,
      origin,
      authorizing,
      answering: createAnswering({ issuer, pages: needs.pages }),
      reading: createReading({ api, verifyHint }),
      documents: needs.clientIdDocuments ? createClientDocuments(needs) : undefined,
      findPushed: createFindPushedRequest(needs.pushedRequests),
      completePushed: needs.pushedRequests.complete,
      redirects,
    }),
    createJwks({ keys: needs.keys, origin }),
    endSession,
  ];
  const apiEndpoints = [
    createTokenEndpoint({
      api,
      authenticate,
      readProof,
      grants: [
        createAuthorizationCodeGrant({ ...needs, api, issueIdToken, redirects, findUser: users.find }),
        createRefreshTokenGrant({ ...needs, api, issueIdToken, findUser: users.find }),
        createClientCredentialsGrant({ ...needs, api }),
        createDeviceCodeGrant({ ...needs, api, issueIdToken, findUser: users.find }),
      ],
      openGrants: [createTokenExchangeGrant(needs)],
    }),
    createPushedAuthorizationRequest({ ...needs, api, authenticate, readProof, verifyHint, redirects }),
    createDeviceAuthorization({ ...needs, origin, api, authenticate }),
    createUserinfo({ ...needs, api, origin, findUser: users.findRemembered }),
    createRevocation({ ...needs, api, authenticate }),
    createIntrospection({ ...needs, api, issuer, authenticate, findUser: users.findRemembered }),
    ...createOwnRegistration(needs),
  ];
  const discovery = createDiscovery({
    issuer,
    workloadIssuer: needs.urls.oidc,
    endpoints: [...originEndpoints, ...apiEndpoints],
  });

  const errorPage: ErrorAnswer = (error, context) => {
    const page = needs.pages.errorPage({ ...answerOf(error), reference: context.get('reference') });
    if (context.get('keepsOpener')) page.headers['cross-origin-opener-policy'] = openerKept;
    return context.body(page.body, page.status as 400, page.headers);
  };
  const originDoor = newDoor(errorPage);
  for (const endpoint of [discovery, ...originEndpoints]) endpoint.mount?.(originDoor);
  const apiDoor = newDoor('oauth');
  for (const endpoint of apiEndpoints) endpoint.mount?.(apiDoor);

  return {
    originDoor,
    apiDoor,
    apiRoutes: apiEndpoints.flatMap(({ routes = [] }) => routes),
    signIn: createSignIn({ ...needs, authorizing }),
    findApiAccess: createApiAccess(needs),
    endSessionRequests: endSession.requests,
    deviceSignIn: createDeviceSignIn(needs),
  };
}

function createOwnRegistration(needs: OAuthNeeds): Endpoint[] {
  if (needs.registration === undefined) return [];
  return [
    createRegistration({
      ...needs,
      api: needs.urls.api,
      terms: needs.registration,
      verifySector: createVerifySector(needs),
      endTokens: needs.tokens.endAllOfClient,
    }),
  ];
}
