import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { publicError } from '#errors';
import type { NodeDoor, RequestFacts } from '#http';
import { admit, parseRequest, type Admission } from './admission.ts';
import { createAnswers, isNavigation } from './answers.ts';
import type { GatewayNeeds } from './needs.ts';
import { createOpenConnections } from './open-connections.ts';
import { finishSignIn } from './passport/finish.ts';
import { createOwnCookies } from './passport/own-cookies.ts';
import { signOut } from './passport/sign-out.ts';
import { signInRequired, startSignIn } from './passport/start.ts';
import { createPassportTokens } from './passport/tokens.ts';
import { createRequestHeaderRules } from './request/headers.ts';
import { createOwnNames } from './request/own-names.ts';
import { createAddressRules } from './upstream/addresses.ts';
import { createConnector } from './upstream/connector.ts';
import { forward, type ForwardedRequest } from './upstream/forward.ts';
import { createPools } from './upstream/pools.ts';
import { createResponseHeaderRules } from './upstream/response-headers.ts';
import { forwardUpgrade } from './upstream/upgrade.ts';

const connectTimeoutMilliseconds = 5_000;

export type Gateway = NodeDoor & {
  /**
   * Cuts the WebSockets, which a listener would wait for, and lets running requests end: call it while the listener
   * closes, not after.
   */
  close(): Promise<void>;
};

/** Host → deployment → decide → forward. Closed: whatever goes wrong before the verdict, nothing is forwarded. */
export function createGateway(needs: GatewayNeeds): Gateway {
  const secure = needs.address.protocol === 'https:';
  const names = createOwnNames(needs.wire, secure);
  const ownCookies = createOwnCookies(names, secure);
  const tokens = createPassportTokens(needs);
  const answers = createAnswers({
    errorHeader: needs.wire.errorHeader,
    requestIdHeader: needs.wire.requestIdHeader,
  });
  const requestHeaders = createRequestHeaderRules(names);
  const responseHeaders = createResponseHeaderRules(names);
  const connector = createConnector({
    rules: createAddressRules(needs),
    timeoutMilliseconds: connectTimeoutMilliseconds,
    ...(needs.resolve === undefined ? {} : { resolve: needs.resolve }),
  });
  const pools = createPools(connector);
  const open = createOpenConnections(needs.visitors);
  const rooms = { ...needs, names, ownCookies, tokens };

  /** Everything before the upstream: the verdict, or an answer of our own (then undefined). */
  async function pass(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
  ): Promise<Admission | undefined> {
    const parsed = parseRequest(rooms, request);
    const ownPath = names.isOwnPath(parsed.target.path);
    const admission = await admit(rooms, parsed, ownPath);
    if (ownPath) {
      await answerOwnPath(request, response, facts, admission);
      return undefined;
    }
    const { outcome, rules } = admission.verdict;
    switch (outcome.is) {
      case 'pass':
        return admission;
      case 'sign-in': {
        const { host, site, cookies, target } = admission;
        const { connectorId } = outcome;
        const because = rules.at(-1)?.answer.because ?? '';
        const at = { host, site, cookies, connectorId, path: target.forwarded, because };
        const start = await startSignIn(rooms, request, at);
        answers.redirect(request, response, facts, start.location, start.cookies);
        return undefined;
      }
      case 'refuse': {
        const { session, companion } = admission.cookies;
        const description = rules.at(-1)?.answer.because ?? '';
        if (session.is === 'several' || companion.is === 'several') {
          // A program has no session then. A browser would come back from a sign-in with as many cookies as before.
          if (!isNavigation(request)) throw signInRequired(admission.host, '/', description);
          throw publicError('cookies_ambiguous', {
            description,
            headers: { 'clear-site-data': '"cookies"' },
          });
        }
        throw publicError('visit_refused', { description });
      }
    }
  }

  /** Below our own folder only exactly spelled paths exist, and none ever reaches an upstream. */
  async function answerOwnPath(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    admission: Admission,
  ): Promise<void> {
    const { host, site, cookies, session, target } = admission;
    const { reference } = facts;
    switch (target.path) {
      case needs.wire.finishPath: {
        const { query } = target;
        const finished = await finishSignIn(rooms, request, { host, site, cookies, query, reference });
        answers.redirect(request, response, facts, finished.location, finished.cookies);
        return;
      }
      case needs.wire.signOutPath: {
        const signOutPath = needs.wire.signOutPath;
        const ended = await signOut(rooms, request, { host, site, cookies, session, signOutPath, reference });
        answers.page(request, response, facts, ended.page, ended.cookies);
        return;
      }
      default:
        throw publicError('not_found', { description: 'There is nothing at this address.' });
    }
  }

  async function forwardedOf(
    request: IncomingMessage,
    facts: RequestFacts,
    admission: Admission,
  ): Promise<ForwardedRequest> {
    const { site, host, cookies, target, verdict } = admission;
    const visitor =
      verdict.outcome.is === 'pass' && verdict.outcome.sessionId !== undefined
        ? admission.session
        : undefined;
    const [visitorToken, workloadToken] = await Promise.all([
      visitor === undefined ? undefined : tokens.visitorToken(visitor, site),
      needs.workloads.forDeployment(site),
    ]);
    return {
      upstream: site.deployment.upstream,
      teamSlug: site.team.slug,
      path: target.forwarded,
      headers: requestHeaders.forUpstream(request.rawHeaders, {
        host,
        clientAddress: facts.clientAddress,
        reference: facts.reference,
        cookies: cookies.forwarded,
        visitorToken,
        workloadToken,
      }),
      hasBody: admission.body !== undefined,
      answer: {
        hostName: host.name,
        reference: facts.reference,
        personal: visitor !== undefined,
        trailersPossible: request.httpVersionMajor === 1 && request.httpVersionMinor === 1,
      },
    };
  }

  function answerError(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    thrown: unknown,
  ): void {
    const error = answers.error(request, response, facts, thrown);
    const fields = { reference: facts.reference, error: error.code, cause: error.cause };
    if (error.status >= 500) needs.logger.warn('gateway.failed', fields);
    else needs.logger.debug('gateway.refused', fields);
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
  ): Promise<void> {
    try {
      const admission = await pass(request, response, facts);
      if (admission === undefined) return;
      await forward(
        { pools, responseHeaders },
        request,
        response,
        await forwardedOf(request, facts, admission),
      );
    } catch (error) {
      answerError(request, response, facts, error);
    }
  }

  async function answerUpgrade(
    client: { request: IncomingMessage; socket: Duplex; head: Buffer; response: ServerResponse },
    facts: RequestFacts,
  ): Promise<void> {
    const { request, response } = client;
    try {
      validateUpgrade(request);
      const admission = await pass(request, response, facts);
      if (admission === undefined) return;
      if (admission.body !== undefined) throw ambiguousUpgrade('An upgrade with a body was received.');
      const { session, host, verdict } = admission;
      const { origin } = request.headers;
      // Only a page of this host may use a visitor's session: cookies come along from every sibling's page as well.
      if (session !== undefined && origin !== undefined && origin !== host.origin) {
        throw publicError('upgrade_refused', {
          description: 'The Origin is another one than this deployment.',
        });
      }
      const sessionId = verdict.outcome.is === 'pass' ? verdict.outcome.sessionId : undefined;
      await forwardUpgrade(
        { connector, responseHeaders },
        client,
        await forwardedOf(request, facts, admission),
        (connection) => open.add(connection, sessionId),
      );
    } catch (error) {
      answerError(request, response, facts, error);
    }
  }

  return {
    request(request, response, facts) {
      void answer(request, response, facts);
    },

    upgrade(request, socket, head, facts) {
      socket.on('error', () => socket.destroy());
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(socket as Socket);
      response.once('finish', () => socket.end());
      void answerUpgrade({ request, socket, head, response }, facts);
    },

    async close() {
      open.close();
      await pools.close();
    },
  };
}

/** WebSocket over HTTP/1.1 (RFC 6455 section 4.2.1); any other protocol would leave the verdict behind. */
function validateUpgrade(request: IncomingMessage): void {
  const { upgrade, 'sec-websocket-key': key } = request.headers;
  if (upgrade?.trim().toLowerCase() !== 'websocket') {
    throw ambiguousUpgrade('An upgrade to another protocol than "websocket" was received.');
  }
  if (request.method !== 'GET' || request.httpVersion !== '1.1' || key === undefined) {
    throw ambiguousUpgrade('A WebSocket is opened by GET in HTTP/1.1 with a Sec-WebSocket-Key.');
  }
}

function ambiguousUpgrade(description: string) {
  return publicError('request_ambiguous', {
    description,
    mend: 'Open a WebSocket, or leave the upgrade out.',
  });
}
