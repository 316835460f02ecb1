import type { Apps } from '#apps';
import type { Audit } from '#audit';
import type { Consents } from '#consents';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import type { Requests } from '#requests';
import type { Browser, FindTeamName, AttemptSteps } from '../shapes.ts';
import type { Authorizing } from './authorizing.ts';
import { describeScopes, type ScopeWords } from './scope-words.ts';

export type InteractionNeeds = {
  database: Pick<Database, 'tryWrite'>;
  apps: Pick<Apps, 'find'>;
  audit: Pick<Audit, 'record'>;
  consents: Consents;
  requests: Requests;
  attempts: AttemptSteps;
  authorizing: Authorizing;
  findTeam: FindTeamName;
};

export type RequestDescription = {
  app: { name: string; teamName: string; verified: boolean };
  /** Where the person will be sent. */
  redirectUri: string;
  scopes: ScopeWords[];
  loginHint?: string;
  reference: string;
};

/** What login and consent pages show of a request, and what they say to it. */
export type SignIn = ReturnType<typeof createSignIn>;

export function createSignIn(needs: InteractionNeeds) {
  const { apps, requests, consents, attempts, audit, authorizing } = needs;

  /** Throws `authorization_request_gone` or `authorization_request_elsewhere`. */
  async function getRequest(requestId: string, browser: Browser) {
    const request = await requests.find(requestId);
    const app = request && (await apps.find(request.parameters.clientId));
    if (request === undefined || app === undefined) throw publicError('authorization_request_gone');
    if (request.browserId !== browser.id) throw publicError('authorization_request_elsewhere');
    return { request, app };
  }

  return {
    async describe(requestId: string, browser: Browser): Promise<RequestDescription> {
      const { request, app } = await getRequest(requestId, browser);
      const { parameters, reference } = request;
      const team = await needs.findTeam(app.teamId);
      return {
        app: { name: app.name, teamName: team?.name ?? '', verified: true },
        redirectUri: parameters.redirectUri,
        scopes: describeScopes(parameters.scopes),
        ...(parameters.loginHint === undefined ? {} : { loginHint: parameters.loginHint }),
        reference,
      };
    },

    /**
     * The person allows what the request asks for. Counts only when consent is what the request waits for: a form
     * sent before the login it needs, or by another account, changes nothing.
     */
    async approve(requestId: string, browser: Browser): Promise<void> {
      const { request, app } = await getRequest(requestId, browser);
      const { parameters, reference } = request;
      const step = await authorizing.decide({ app, parameters, browser, request });
      const userId = browser.session?.userId;
      if (step.next !== 'consent' || userId === undefined) return;
      const { scopes } = parameters;
      const before = await consents.find(userId, app.id);
      const outcome = await needs.database.tryWrite([
        requests.approve(requestId, { browserId: browser.id, userId, scopes }),
        consents.record({ userId, appId: app.id, scopes }, before),
        attempts.step(reference, { step: 'consent', outcome: 'ok', detail: 'given' }),
        audit.record({
          actor: userId,
          action: 'consent.give',
          object: app.id,
          teamId: app.teamId,
          before: before?.scopes,
          after: scopes,
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
      await getRequest(requestId, browser);
      const outcome = await needs.database.tryWrite([requests.cancel(requestId, browser.id)]);
      if (!outcome.committed) throw publicError('authorization_request_gone');
    },
  };
}
