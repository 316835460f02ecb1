import {
  codeChallengeMethods,
  matchesRedirectUri,
  prompts,
  responseModes,
  responseTypes,
} from '@tessera/protocol';
import type { App, Apps } from '#apps';
import type { Bound, Database, Expected } from '#database';
import { OAuthError, oauthError, PublicError, publicError } from '#errors';
import { readForm, readQuery, type Door, type DoorContext } from '#http';
import type { AuthorizationParameters, Requests } from '#requests';
import { refuseHead, type Endpoint } from '../endpoint.ts';
import { repeatableParameters } from '../resources.ts';
import type { FindBrowser, FindMembership, SignInAttempts } from '../shapes.ts';
import type { Answering, AnswerPlace } from './answering.ts';
import { acrValues } from './claims.ts';
import { loginMark, type Authorizing, type Standing } from './authorizing.ts';
import type { VerifyIdTokenHint } from './id-token-hint.ts';
import type { FindPushedRequest } from './pushed.ts';
import { parseClient, parseParameters, parseRedirectUri, parseResponseMode, parseState } from './parsing.ts';

export type AuthorizationNeeds = {
  origin: string;
  /** The base URL of our own API. */
  api: string;
  database: Pick<Database, 'write' | 'tryWrite'>;
  apps: Pick<Apps, 'find'>;
  requests: Requests;
  attempts: SignInAttempts;
  authorizing: Authorizing;
  answering: Answering;
  findBrowser: FindBrowser;
  findMembership: FindMembership;
  findPushed: FindPushedRequest;
  completePushed: (id: string) => Expected;
  verifyHint: VerifyIdTokenHint;
};

type Step = Bound<unknown> | Expected;

/**
 * The authorization endpoint (RFC 6749, 3.1). A request that asks the person something is stored, and the pages
 * come back to `/oauth/authorize/{id}`; what can be answered at once is answered at once.
 */
export function createAuthorization(needs: AuthorizationNeeds): Endpoint {
  const { origin, api, database, requests, attempts, authorizing, answering } = needs;

  /** Validates what was sent. Errors throw until the redirect URI is known to be good, and go to the app after. */
  async function begin(context: DoorContext, asked: ReadonlyMap<string, string>): Promise<Response> {
    const isPost = context.req.method === 'POST';
    const app = await parseClient(asked, needs.apps.find);
    const pushed = await needs.findPushed(asked, app);
    // Of a pushed request nothing beside it counts (RFC 9126, 4).
    const sent = pushed?.parameters ?? asked;
    const { reference, statement } = attempts.begin({ kind: 'sign-in', teamId: app.teamId, appId: app.id });
    // A page that says what was wrong with this request carries the attempt's reference.
    context.set('reference', reference);
    const failed = (step: string, error: { description: string }) =>
      attempts.step(reference, { step, outcome: 'failed', detail: error.description });

    let redirectUri: string;
    try {
      redirectUri = parseRedirectUri(sent, app, !isPost && (await isOwner(context, app)));
    } catch (error) {
      if (error instanceof PublicError) await database.write([statement, failed('request', error)]);
      throw error;
    }
    const responseMode = parseResponseMode(sent);
    const place: AnswerPlace = {
      redirectUri,
      responseMode: responseMode instanceof OAuthError ? 'query' : responseMode,
      state: parseState(sent),
    };
    let parameters: AuthorizationParameters;
    try {
      if (responseMode instanceof OAuthError) throw responseMode;
      if (pushed === undefined && app.requirePushedAuthorizationRequests) {
        throw oauthError(
          'invalid_request',
          'This app pushes its authorization requests (RFC 9126). Expected a request_uri of the pushed authorization request endpoint',
        );
      }
      parameters = parseParameters(sent, app, { redirectUri, responseMode, api });
      if (pushed !== undefined) parameters.pushedRequestId = pushed.id;
      const hint = sent.get('id_token_hint');
      if (hint !== undefined) {
        const { sub } = await needs.verifyHint(hint);
        if ((parameters.hintedUserId ?? sub) !== sub) {
          throw oauthError('invalid_request', "Parameter 'id_token_hint'. 'claims' asks for another user");
        }
        parameters.hintedUserId = sub;
      }
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      await database.write([statement, failed('request', error)]);
      return answering.error(context, place, error);
    }
    const before: Step[] = [statement, attempts.step(reference, { step: 'request', outcome: 'ok' })];
    if (isPost) {
      // A form from another site brings no cookie of ours: the person's browser shows itself at the next step.
      const stored = requests.create({ parameters, reference });
      await database.write([...before, stored.statement]);
      return context.redirect(continueUrl(stored.id), 303);
    }
    const browser = await needs.findBrowser(context);
    return proceed(context, { app, parameters, browser, request: undefined }, reference, before);
  }

  /** Goes on with a stored request, in the browser that it belongs to. */
  async function resume(context: DoorContext, id: string): Promise<Response> {
    const gone = () => publicError('authorization_request_gone');
    let request = await requests.find(id);
    if (request === undefined) throw gone();
    const browser = await needs.findBrowser(context);
    if (request.browserId === undefined) {
      await database.tryWrite([requests.bind(id, browser.id, loginMark(browser))]);
      request = await requests.find(id);
      if (request === undefined) throw gone();
    }
    if (request.browserId !== browser.id) throw publicError('authorization_request_elsewhere');
    context.set('reference', request.reference);
    const { parameters, reference } = request;
    const app = await needs.apps.find(parameters.clientId);
    if (app === undefined) throw gone();
    // It may have been taken off the list while the person was logging in.
    const isRegistered = app.redirectUris.some((one) => matchesRedirectUri(one, parameters.redirectUri));
    if (!isRegistered) throw publicError('redirect_uri_not_registered');
    return proceed(context, { app, parameters, browser, request }, reference, [requests.consume(id)]);
  }

  /** Decides and does it. `before` is committed with whatever ends or begins the request. */
  async function proceed(
    context: DoorContext,
    standing: Standing,
    reference: string,
    before: readonly Step[],
  ): Promise<Response> {
    const { parameters, browser, request } = standing;
    const step = await authorizing.decide(standing);
    if (step.next === 'login' || step.next === 'consent') {
      const page = step.next === 'login' ? 'login' : 'oauth/consent';
      if (request !== undefined) return context.redirect(`${origin}/${page}?request=${request.id}`, 303);
      const stored = requests.create({
        parameters,
        reference,
        browserId: browser.id,
        loginAtStart: loginMark(browser),
      });
      await database.write([...before, stored.statement]);
      return context.redirect(`${origin}/${page}?request=${stored.id}`, 303);
    }
    const { pushedRequestId } = parameters;
    const finishing =
      pushedRequestId === undefined ? before : [needs.completePushed(pushedRequestId), ...before];
    if (step.next === 'refuse') {
      const detail = step.description;
      const refusal = attempts.step(reference, { step: step.step, outcome: 'failed', detail });
      const outcome = await database.tryWrite([...finishing, refusal]);
      if (!outcome.committed) throw publicError('authorization_request_gone');
      return answering.error(context, parameters, step);
    }
    const code = await authorizing.issueCode(standing, {
      reference,
      consent: step.consent,
      teamId: step.teamId,
      before: finishing,
    });
    if (code === undefined) throw publicError('authorization_request_gone');
    return answering.code(context, parameters, code);
  }

  async function isOwner(context: DoorContext, app: App): Promise<boolean> {
    const { user } = await needs.findBrowser(context);
    if (user === undefined) return false;
    const membership = await needs.findMembership(app.teamId, user.id);
    return membership?.role === 'owner' || membership?.role === 'member';
  }

  const continueUrl = (id: string) => `${origin}/oauth/authorize/${id}`;

  return {
    metadata: {
      authorization_endpoint: `${origin}/oauth/authorize`,
      response_types_supported: responseTypes,
      response_modes_supported: responseModes,
      code_challenge_methods_supported: codeChallengeMethods,
      prompt_values_supported: prompts,
      authorization_response_iss_parameter_supported: true,
      acr_values_supported: acrValues,
      display_values_supported: ['page'],
      ui_locales_supported: ['en'],
      request_parameter_supported: false,
      request_uri_parameter_supported: false,
    },
    mount(door: Door) {
      door.get('/oauth/authorize', (context) => {
        refuseHead(context);
        return begin(context, readQuery(context, repeatableParameters));
      });
      door.post('/oauth/authorize', async (context) => {
        if (context.req.url.includes('?')) {
          throw oauthError(
            'invalid_request',
            'Parameters in the URL of a POST are refused. Expected them in the body',
          );
        }
        return begin(context, await readForm(context, repeatableParameters));
      });
      door.get('/oauth/authorize/:id', (context) => {
        refuseHead(context);
        return resume(context, context.req.param('id'));
      });
    },
  };
}
