import { redirectUriProblem, webMessageResponseMode } from '@tessera/protocol';
import { isBuiltIn, isVerifiedApp, type App, type Apps } from '#apps';
import type { Audit } from '#audit';
import type { Consents } from '#consents';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import type { AuthorizationRequest, Requests } from '#requests';
import type { Browser, FindTeamName, AttemptSteps, ListTeams } from '../shapes.ts';
import type { Authorizing } from './authorizing.ts';
import { scopesToAllow } from './claims.ts';
import { needsTeam } from './permissions.ts';
import { describeScopes, ownName, type ScopeWords } from './scope-words.ts';

export type InteractionNeeds = {
  database: Pick<Database, 'tryWrite'>;
  apps: Pick<Apps, 'find'>;
  audit: Pick<Audit, 'record'>;
  consents: Consents;
  requests: Requests;
  attempts: AttemptSteps;
  authorizing: Authorizing;
  findTeam: FindTeamName;
  listTeams: ListTeams;
};

export type RequestDescription = {
  app: {
    name: string;
    logo?: string;
    teamName: string;
    verified: boolean;
    /** What an unverified app says of itself, in the words of its registration. */
    about: { name: 'website' | 'policy' | 'terms'; uri: string }[];
  };
  /** Where the person will be sent. */
  redirectUri: string;
  scopes: ScopeWords[];
  /** Resource servers that the tokens will be for. */
  resources: readonly string[];
  /** The person's teams, when the app wants to do something in one: they choose. */
  teams?: { id: string; name: string; isLast: boolean }[];
  loginHint?: string;
  /** The answer goes to the window that opened this one: no page may part the two. */
  keepsOpener: boolean;
  reference: string;
};

/** What login and consent pages show of a request, and what they say to it. */
export type SignIn = ReturnType<typeof createSignIn>;

export function createSignIn(needs: InteractionNeeds) {
  const { apps, requests, consents, attempts, audit, authorizing } = needs;

  async function getOwnRequest(requestId: string, browser: Browser): Promise<AuthorizationRequest> {
    const request = await requests.find(requestId);
    if (request === undefined) throw publicError('authorization_request_gone');
    if (request.browserId !== browser.id) throw publicError('authorization_request_elsewhere');
    return request;
  }

  /** Throws `authorization_request_gone` or `authorization_request_elsewhere`. */
  async function getRequest(requestId: string, browser: Browser) {
    const request = await getOwnRequest(requestId, browser);
    const app = await apps.find(request.parameters.clientId);
    if (app === undefined) throw publicError('authorization_request_gone');
    return { request, app };
  }

  /** Before login nothing is known of such an app but its address, which is what people see of it later too. */
  function describeUnread({ parameters, reference }: AuthorizationRequest): RequestDescription {
    const { clientId, redirectUri } = parameters;
    return {
      app: { name: new URL(clientId).host, teamName: '', verified: false, about: [] },
      redirectUri: redirectUriProblem(redirectUri) === undefined ? redirectUri : clientId,
      scopes: [],
      keepsOpener: false,
      resources: [],
      reference,
    };
  }

  async function describeTeams(userId: string, appId: string) {
    const [teams, consented] = await Promise.all([
      needs.listTeams(userId),
      consents.listOfApp(userId, appId),
    ]);
    const last = consented.find(({ teamId }) => teamId !== undefined)?.teamId;
    return teams.map(({ team: { id, name } }) => ({ id, name, isLast: id === last }));
  }

  return {
    async describe(requestId: string, browser: Browser): Promise<RequestDescription> {
      const own = await getOwnRequest(requestId, browser);
      if (own.parameters.unread !== undefined) return describeUnread(own);
      const { request, app } = await getRequest(requestId, browser);
      const { parameters, reference } = request;
      const team = await needs.findTeam(app.teamId);
      const userId = browser.session?.userId;
      return {
        app: {
          name: app.name,
          ...(app.logo === undefined ? {} : { logo: app.logo }),
          teamName: team?.name ?? (isBuiltIn(app) ? ownName : ''),
          verified: isVerifiedApp(app),
          about: aboutOf(app),
        },
        redirectUri: parameters.redirectUri,
        scopes: describeScopes(scopesToAllow(parameters), isBuiltIn(app)),
        resources: parameters.resources,
        keepsOpener: parameters.responseMode === webMessageResponseMode,
        ...(userId === undefined || !needsTeam(parameters.scopes)
          ? {}
          : { teams: await describeTeams(userId, app.id) }),
        ...(parameters.loginHint === undefined ? {} : { loginHint: parameters.loginHint }),
        reference,
      };
    },

    /**
     * The person allows what the request asks for. Counts only when consent is what the request waits for: a form
     * sent before the login it needs, or by another account, changes nothing. `teamId`: the team that permissions are
     * given in, one of the person's own. Throws `consent_team_missing`.
     */
    async approve(
      requestId: string,
      browser: Browser,
      { teamId }: { teamId?: string | undefined } = {},
    ): Promise<void> {
      const { request, app } = await getRequest(requestId, browser);
      const { parameters, reference } = request;
      const step = await authorizing.decide({ app, parameters, browser, request });
      const userId = browser.session?.userId;
      if (step.next !== 'consent' || userId === undefined || parameters.unread !== undefined) return;
      const scopes = scopesToAllow(parameters);
      const chosen = needsTeam(scopes) ? teamId : undefined;
      if (needsTeam(scopes)) {
        const isOwn = (await needs.listTeams(userId)).some(({ team }) => team.id === teamId);
        if (!isOwn) throw publicError('consent_team_missing');
      }
      const host = parameters.projectHost;
      const consented = await consents.listOfApp(userId, app.id);
      const before = consented.find((one) => one.teamId === chosen && one.host === host);
      const outcome = await needs.database.tryWrite([
        requests.approve(requestId, { browserId: browser.id, userId, scopes, teamId: chosen }),
        consents.record({ userId, appId: app.id, teamId: chosen, host, scopes }, before),
        attempts.step(reference, { step: 'consent', outcome: 'ok', detail: 'given' }),
        audit.record({
          actor: userId,
          action: 'consent.give',
          object: app.id,
          teamId: app.teamId,
          before: before && { scopes: before.scopes },
          after: { scopes, teamId: chosen, host },
          reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('authorization_request_gone');
    },

    /** A login on the way of this request, for the unit that makes its session; undefined when there is no such request. */
    async loginStep(
      requestId: string,
      browser: Browser,
      outcome: 'ok' | 'failed',
    ): Promise<Bound<unknown> | undefined> {
      const request = await requests.find(requestId);
      if (request === undefined || request.browserId !== browser.id) return undefined;
      return attempts.step(request.reference, { step: 'login', outcome });
    },

    /** The person does not want it: the app gets `access_denied`. */
    async cancel(requestId: string, browser: Browser): Promise<void> {
      await getOwnRequest(requestId, browser);
      const outcome = await needs.database.tryWrite([requests.cancel(requestId, browser.id)]);
      if (!outcome.committed) throw publicError('authorization_request_gone');
    },
  };
}

function aboutOf({ about }: App): RequestDescription['app']['about'] {
  const named = [
    { name: 'website', uri: about.clientUri },
    { name: 'policy', uri: about.policyUri },
    { name: 'terms', uri: about.tosUri },
  ] as const;
  return named.flatMap(({ name, uri }) => (uri === undefined ? [] : [{ name, uri }]));
}
