import type { Apps } from '#apps';
import type { Audit } from '#audit';
import type { Codes } from '#codes';
import type { Bound, Database, Expected } from '#database';
import { PublicError, oauthError, publicError } from '#errors';
import { answerOf, readForm, readQuery, type Door, type DoorContext } from '#http';
import type { Pages } from '#pages';
import type { IdTokenHint } from '../authorization/id-token-hint.ts';
import { refuseHead, type Endpoint } from '../endpoint.ts';
import type { Browser, FindBrowser } from '../shapes.ts';
import { parseEndSessionRequest, type EndSessionRequest } from './end-session-request.ts';

export type EndSessionNeeds = {
  origin: string;
  database: Pick<Database, 'write' | 'tryWrite'>;
  codes: Codes;
  audit: Pick<Audit, 'record'>;
  apps: Pick<Apps, 'find'>;
  pages: Pick<Pages, 'errorPage'>;
  findBrowser: FindBrowser;
  /** Takes the login out of the browser that is answered. */
  forgetLogin: (context: DoorContext) => void;
  /** Ends a session with all that hangs on it. */
  endSession: (session: { id: string; userId: string }) => readonly Bound<unknown>[];
  verifyHint: (idTokenHint: string) => Promise<IdTokenHint>;
};

const purpose = 'end-session';
const lifetimeMilliseconds = 10 * 60_000;

export type EndSession = Endpoint & { requests: ReturnType<typeof createEndSessionRequests> };

/**
 * OpenID Connect RP-Initiated Logout 1.0. An app that shows an ID token of this very login may end it at once; in any
 * other case the person is asked (2). What is wrong with a request is said on a page, never by a redirect (4).
 */
export function createEndSession(needs: EndSessionNeeds): EndSession {
  const { origin, database, codes } = needs;
  const requests = createEndSessionRequests(needs);

  function parse(sent: ReadonlyMap<string, string>): Promise<EndSessionRequest> {
    return parseEndSessionRequest(sent, { findApp: needs.apps.find, verifyHint: needs.verifyHint });
  }

  async function store(request: EndSessionRequest): Promise<string> {
    const { secret, statement } = codes.issue(purpose, request, lifetimeMilliseconds);
    await database.write([statement]);
    return encodeURIComponent(secret);
  }

  /** Decides with the browser at hand. `requestId` is there when the request is stored already. */
  async function proceed(
    context: DoorContext,
    request: EndSessionRequest,
    requestId: string | undefined,
  ): Promise<Response> {
    const browser = await needs.findBrowser(context);
    const { session } = browser;
    const done = `${origin}/oauth/logout/done`;
    if (session === undefined) {
      // Or anybody who may register an app could borrow our address for a link to theirs.
      return context.redirect((request.isUnverified ? undefined : request.destination) ?? done, 303);
    }
    const isThisLogin = request.hint?.sub === session.userId && request.hint.sid === session.id;
    if (!isThisLogin) {
      const stored = requestId === undefined ? await store(request) : encodeURIComponent(requestId);
      return context.redirect(`${origin}/oauth/logout/confirm?request=${stored}`, 303);
    }
    await requests.end(request, requestId, browser, context.get('reference'));
    needs.forgetLogin(context);
    return context.redirect(request.destination ?? done, 303);
  }

  /** An error page that shows the way to log out all the same. */
  async function orExplain(context: DoorContext, answer: () => Promise<Response>): Promise<Response> {
    try {
      return await answer();
    } catch (error) {
      if (!(error instanceof PublicError) || error.status >= 500) throw error;
      const page = needs.pages.errorPage({
        ...answerOf(error),
        reference: context.get('reference'),
        next: { href: `${new URL(origin).pathname.replace(/\/$/, '')}/oauth/logout`, label: 'Log out here' },
      });
      return context.body(page.body, page.status as 400, page.headers);
    }
  }

  return {
    requests,
    metadata: {
      end_session_endpoint: `${origin}/oauth/logout`,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
    },
    mount(door: Door) {
      door.get('/oauth/logout', (context) => {
        refuseHead(context);
        return orExplain(context, async () => proceed(context, await parse(readQuery(context)), undefined));
      });
      // A form from another site brings no cookie of ours: the browser shows itself at the next step.
      door.post('/oauth/logout', async (context) => {
        if (context.req.url.includes('?')) {
          throw oauthError(
            'invalid_request',
            'Parameters in the URL of a POST are refused. Expected them in the body',
          );
        }
        const sent = await readForm(context);
        return orExplain(context, async () => {
          const requestId = await store(await parse(sent));
          return context.redirect(`${origin}/oauth/logout/continue?request=${requestId}`, 303);
        });
      });
      door.get('/oauth/logout/continue', async (context) => {
        refuseHead(context);
        const requestId = readQuery(context).get('request') ?? '';
        return proceed(context, await requests.get(requestId), requestId);
      });
    },
  };
}

/** Requests that wait for the person, for the page that asks. */
function createEndSessionRequests(needs: EndSessionNeeds) {
  const { database, codes, audit } = needs;

  async function get(requestId: string): Promise<EndSessionRequest> {
    const found = await codes.find<EndSessionRequest>(purpose, requestId);
    if (found?.state !== 'live') throw publicError('end_session_request_gone');
    return found.payload;
  }

  async function end(
    request: EndSessionRequest,
    requestId: string | undefined,
    { session }: Browser,
    reference: string,
  ): Promise<void> {
    const unit: (Bound<unknown> | Expected)[] =
      requestId === undefined ? [] : [codes.redeem(purpose, requestId)];
    if (session !== undefined) {
      unit.push(
        ...needs.endSession(session),
        audit.record({
          actor: session.userId,
          action: 'session.end',
          object: session.id,
          ...(request.clientId === undefined ? {} : { after: { askedBy: request.clientId } }),
          reference,
        }),
      );
    }
    const outcome = await database.tryWrite(unit);
    if (!outcome.committed) throw publicError('end_session_request_gone');
  }

  return {
    get,
    end,

    async describe(requestId: string) {
      const request = await get(requestId);
      const app = request.clientId === undefined ? undefined : await needs.apps.find(request.clientId);
      return { app: app && { name: app.name }, destination: request.destination };
    },

    async confirm(requestId: string, browser: Browser, reference: string): Promise<string | undefined> {
      const request = await get(requestId);
      await end(request, requestId, browser, reference);
      return request.destination;
    },
  };
}
