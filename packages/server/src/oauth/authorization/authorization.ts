import {
  codeChallengeMethods,
  matchesRedirectUri,
  prompts,
  responseModes,
  responseTypes,
  webMessageResponseMode,
} from '@tessera/protocol';
import { isVerifiedApp, unownedTeamId, type App, type Apps } from '#apps';
import type { Bound, Database, Expected } from '#database';
import { oauthError, PublicError, publicError } from '#errors';
import { readForm, readQuery, type Door, type DoorContext } from '#http';
import type { AuthorizationRequest, Requests } from '#requests';
import { refuseHead, type Endpoint } from '../endpoint.ts';
import type { Redirects } from '../redirects.ts';
import { repeatableParameters } from '../resources.ts';
import type { FindBrowser, FindMembership, SignInAttempts } from '../shapes.ts';
import type { ClientDocuments } from '../registration/client-documents.ts';
import type { Answering } from './answering.ts';
import { acrValues } from './claims.ts';
import { isLoggedIn, loginMark, type Authorizing, type Standing } from './authorizing.ts';
import type { FindPushedRequest } from './pushed.ts';
import { parseClient, parseRedirectUri } from './parsing.ts';
import { refusedParameters, unreadParameters, type Reading } from './reading.ts';

export type AuthorizationNeeds = {
  origin: string;
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
  reading: Reading;
  redirects: Redirects;
  /** Undefined: addresses are no client ids here. */
  documents: ClientDocuments | undefined;
};

type Step = Bound<unknown> | Expected;

/**
 * The authorization endpoint (RFC 6749, 3.1). A request that asks the person something is stored, and the pages
 * come back to `/oauth/authorize/{id}`; what can be answered at once is answered at once.
 */
export function createAuthorization(needs: AuthorizationNeeds): Endpoint {
  const { origin, database, requests, attempts, authorizing, answering } = needs;

  /** Validates what was sent. Errors throw until the redirect URI is known to be good, and go to the app after. */
  async function begin(context: DoorContext, asked: ReadonlyMap<string, string>): Promise<Response> {
    const isPost = context.req.method === 'POST';
    if (asked.get('response_mode') === webMessageResponseMode) context.set('keepsOpener', true);
    const clientId = asked.get('client_id');
    if (clientId !== undefined && needs.documents?.isAddress(clientId)) {
      await needs.documents.countRequest(clientId, context.get('clientAddress'));
      return beginUnread(context, clientId, asked);
    }
    const registered = await parseClient(asked, needs.apps.find);
    const pushed = await needs.findPushed(asked, registered);
    // Of a pushed request nothing beside it counts (RFC 9126, 4).
    const sent = pushed?.parameters ?? asked;
    const { app, projectHost } = await needs.redirects.admit(registered, sent.get('redirect_uri'));
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
    const read = await needs.reading(sent, app, redirectUri, pushed);
    if ('error' in read && isVerifiedApp(app)) {
      await database.write([statement, failed('request', read.error)]);
      return answering.error(context, read.place, read.error);
    }
    const parameters = 'error' in read ? refusedParameters(app, read, sent) : read.parameters;
    if (projectHost !== undefined) parameters.projectHost = projectHost;
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

  /** Stores what an app sent that nobody here knows: who it is, is looked up for somebody who is logged in. */
  async function beginUnread(
    context: DoorContext,
    clientId: string,
    asked: ReadonlyMap<string, string>,
  ): Promise<Response> {
    const { reference, statement } = attempts.begin({
      kind: 'sign-in',
      teamId: unownedTeamId,
      appId: clientId,
    });
    const browser = context.req.method === 'POST' ? undefined : await needs.findBrowser(context);
    const stored = requests.create({
      parameters: unreadParameters(clientId, asked),
      reference,
      browserId: browser?.id,
      loginAtStart: browser && loginMark(browser),
    });
    await database.write([statement, stored.statement]);
    return context.redirect(continueUrl(stored.id), 303);
  }

  /** Reads the metadata document of the app, and then its request as if it had come now. */
  async function readUnread(
    request: AuthorizationRequest,
    unread: Readonly<Record<string, string>>,
    userId: string,
  ): Promise<AuthorizationRequest> {
    const { reference } = request;
    const asked = new Map(Object.entries(unread));
    try {
      if (needs.documents === undefined) throw publicError('client_unknown');
      const app = await needs.documents.read(request.parameters.clientId, { userId, reference });
      const pushed = await needs.findPushed(asked, app);
      const sent = pushed?.parameters ?? asked;
      const redirectUri = parseRedirectUri(sent, app, false);
      const read = await needs.reading(sent, app, redirectUri, pushed);
      const parameters = 'error' in read ? refusedParameters(app, read, sent) : read.parameters;
      const settled = await database.tryWrite([
        requests.settle(request.id, request.parameters, parameters),
        attempts.step(reference, { step: 'request', outcome: 'ok' }),
      ]);
      if (settled.committed) return { ...request, parameters };
      // Another tab was first: what it wrote down is what counts.
      const now = await requests.find(request.id);
      if (now === undefined || now.parameters.unread !== undefined) {
        throw publicError('authorization_request_gone');
      }
      return now;
    } catch (error) {
      if (error instanceof PublicError) {
        const detail = error.description;
        await database.write([attempts.step(reference, { step: 'request', outcome: 'failed', detail })]);
      }
      throw error;
    }
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
    if (request.parameters.responseMode === webMessageResponseMode) context.set('keepsOpener', true);
    const { unread } = request.parameters;
    if (unread !== undefined) {
      const userId = isLoggedIn(browser) ? browser.session?.userId : undefined;
      if (userId === undefined) {
        if (unread['prompt'] === 'none') throw publicError('sign_in_not_silent');
        return context.redirect(`${origin}/login?request=${id}`, 303);
      }
      request = await readUnread(request, unread, userId);
    }
    const { parameters, reference } = request;
    const found = await needs.apps.find(parameters.clientId);
    if (found === undefined) throw gone();
    // It may have been taken off the list while the person was logging in.
    const { app } = await needs.redirects.admit(found, parameters.redirectUri);
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
      // Strangers are not sent to an address that nobody answers for (RFC 9700, 4.11.2).
      if (!isVerifiedApp(standing.app) && !isLoggedIn(browser)) throw publicError('sign_in_not_silent');
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

  /** Whoever is in the owning team may see what is registered. */
  async function isOwner(context: DoorContext, app: App): Promise<boolean> {
    const { user } = await needs.findBrowser(context);
    if (user === undefined) return false;
    return (await needs.findMembership(app.teamId, user.id)) !== undefined;
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
      ...(needs.documents === undefined ? {} : { client_id_metadata_document_supported: true }),
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
