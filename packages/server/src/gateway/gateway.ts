import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { publicError } from '#errors';
import { endSocket, type NodeDoor, type RequestFacts } from '#http';
import type { Admission } from './admission.ts';
import { createAnswers } from './answers.ts';
import { createDecisionDoor, type DecisionNeeds } from './decisions/decision-door.ts';
import type { FrontProxyBinding } from './decisions/front-proxies.ts';
import type { GatewayNeeds } from './needs.ts';
import { createOpenConnections } from './open-connections.ts';
import { createOwnCookies } from './passport/own-cookies.ts';
import { createPassportTokens } from './passport/tokens.ts';
import { createCookieReader } from './request/cookies.ts';
import { valueOf } from './request/header-list.ts';
import { asksForWebSocket, createRequestHeaderRules } from './request/headers.ts';
import { createHostReader } from './request/host.ts';
import { createOwnNames } from './request/own-names.ts';
import { sentRequestOf, type SentRequest } from './request/sent-request.ts';
import { createStandings } from './standing.ts';
import { createConnector } from './upstream/connector.ts';
import { forward, type ForwardedRequest } from './upstream/forward.ts';
import { createPools } from './upstream/pools.ts';
import { createResponseHeaderRules } from './upstream/response-headers.ts';
import { forwardUpgrade } from './upstream/upgrade.ts';
import { createVisit, validateUpgradeOrigin, type UpstreamTokens } from './visit.ts';

export type Gateway = NodeDoor & {
  /**
   * Cuts the WebSockets, which a listener would wait for, and lets running requests end: call it while the listener
   * closes, not after.
   */
  close(): Promise<void>;
  /** For a listener of its own: where front proxies ask what to do with a request. */
  decisions(
    frontProxies: readonly FrontProxyBinding[],
    clientAddress: DecisionNeeds['clientAddress'],
  ): NodeDoor;
};

/** How old a decision may be when a WebSocket opens by it. */
const mostDecisionMilliseconds = 2_000;

/** Host → deployment → decide → forward. Closed: whatever goes wrong before the verdict, nothing is forwarded. */
export function createGateway(needs: GatewayNeeds): Gateway {
  const secure = needs.address.protocol === 'https:';
  const names = createOwnNames(needs.wire, secure);
  const ownCookies = createOwnCookies(names, secure);
  const tokens = createPassportTokens(needs);
  const visitorIdleMilliseconds = needs.visitorIdleMilliseconds ?? 60_000;
  const answers = createAnswers({ ...needs.wire, visitorIdleMilliseconds });
  const requestHeaders = createRequestHeaderRules(names, needs.address);
  const responseHeaders = createResponseHeaderRules(names);
  const connector = createConnector({
    addresses: needs.upstreamAddresses,
    timeoutMilliseconds: needs.upstreams.connectSeconds * 1000,
    ...(needs.resolve === undefined ? {} : { resolve: needs.resolve }),
  });
  const pools = createPools(connector, needs.upstreams);
  const answerMilliseconds = needs.upstreams.answerSeconds * 1000;
  const standings = createStandings(needs);
  const open = createOpenConnections();
  /** What came as an upgrade, whatever became of it: the listener does not know these any more. */
  const handedOver = new Set<Duplex>();
  let isClosing = false;
  const readHost = createHostReader(needs.address);
  const readCookies = createCookieReader(names);
  const visit = createVisit({ ...needs, names, readHost, readCookies, ownCookies, tokens, answers });

  function forwardedOf(
    request: SentRequest,
    facts: RequestFacts,
    admission: Admission,
    { visitorToken, workloadToken }: UpstreamTokens,
  ): ForwardedRequest {
    const { site, host, cookies, target, verdict } = admission;
    // Whoever passes as a preflight must not turn out to be something else.
    const isPreflight = verdict.outcome.is === 'pass' && verdict.outcome.by === 'options-allowlist';
    return {
      upstream: site.deployment.upstream,
      teamSlug: site.team.slug,
      path: target.forwarded,
      headers: requestHeaders.forUpstream(request.rawHeaders, {
        isPreflight,
        host,
        clientAddress: facts.clientAddress,
        reference: facts.reference,
        cookies: cookies.forwarded,
        visitorToken,
        workloadToken,
      }),
      hasBody: admission.body !== undefined && !isPreflight,
      answer: {
        hostName: host.name,
        reference: facts.reference,
        secretInAddress: admission.presented.inAddress,
        personal: verdict.outcome.is === 'pass' && verdict.outcome.personal,
        trailersPossible: request.httpVersionMinor === 1 && request.method !== 'HEAD',
      },
    };
  }

  function answerError(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    thrown: unknown,
  ): void {
    const { error, answer: refusal } = answers.error(request, facts, thrown);
    answers.send(request, response, facts, refusal);
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
      const sent = sentRequestOf(request);
      const asked = await visit.ask(sent, visit.parse(sent), facts);
      if (asked.is === 'answer') {
        answers.send(request, response, facts, asked.answer);
        return;
      }
      const { admission } = asked;
      const forwarded = forwardedOf(sent, facts, admission, await visit.tokensFor(admission));
      const end = open.watch(response, () => standings.of(admission, facts.clientAddress));
      try {
        await forward({ pools, responseHeaders, visitorIdleMilliseconds }, request, response, forwarded);
      } finally {
        end();
      }
    } catch (error) {
      answerError(request, response, facts, error);
    }
  }

  async function answerUpgrade(
    client: { request: IncomingMessage; socket: Socket; head: Buffer; response: ServerResponse },
    facts: RequestFacts,
  ): Promise<void> {
    const { request, response } = client;
    try {
      validateUpgrade(request);
      const asked = await visit.ask(request, visit.parse(request), facts);
      if (asked.is === 'answer') {
        answers.send(request, response, facts, asked.answer);
        return;
      }
      const { admission } = asked;
      const standing = standings.of(admission, facts.clientAddress);
      let seenAt = performance.now();
      if (admission.body !== undefined) throw ambiguousUpgrade('An upgrade with a body was received.');
      validateUpgradeOrigin(request, admission);
      await forwardUpgrade(
        { pools, responseHeaders, answerMilliseconds, visitorIdleMilliseconds },
        client,
        forwardedOf(request, facts, admission, await visit.tokensFor(admission)),
        {
          // A handshake may take long, and what let it pass may be over since.
          async mayOpen() {
            const now = performance.now();
            if (now - seenAt < mostDecisionMilliseconds) return;
            if (!(await standing.stands())) {
              throw publicError('visit_refused', { description: 'What let this visit pass is over.' });
            }
            seenAt = now;
          },
          onOpen: (connection) => open.add(connection, standing, seenAt),
          onAnswer: (answer) => open.watch(answer, () => standing),
        },
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
      if (isClosing) {
        socket.destroy();
        return;
      }
      handedOver.add(socket);
      socket.once('close', () => handedOver.delete(socket));
      // Node's type is wider than what it hands over: a TCP or TLS socket.
      const client = socket as Socket;
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(client);
      response.once('finish', () => endSocket(socket));
      void answerUpgrade({ request, socket: client, head, response }, facts);
    },

    decisions: (frontProxies, clientAddress) =>
      createDecisionDoor({ ...needs, names, answers, visit, frontProxies, clientAddress }),

    async close() {
      isClosing = true;
      const closed = [...handedOver].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      const cut = setTimeout(() => {
        for (const socket of handedOver) socket.destroy();
      }, needs.drainMilliseconds);
      await open.close();
      await Promise.all([pools.close(needs.drainMilliseconds), ...closed]);
      clearTimeout(cut);
    },
  };
}

/** WebSocket over HTTP/1.1 (RFC 6455 section 4.2.1); any other protocol would leave the verdict behind. */
function validateUpgrade(request: IncomingMessage): void {
  const { rawHeaders } = request;
  if (valueOf(rawHeaders, 'upgrade')?.trim().toLowerCase() !== 'websocket') {
    throw ambiguousUpgrade('An upgrade to another protocol than "websocket" was received.');
  }
  if (request.method !== 'GET' || request.httpVersion !== '1.1' || !asksForWebSocket(rawHeaders)) {
    throw ambiguousUpgrade('A WebSocket is opened by GET in HTTP/1.1 with a Sec-WebSocket-Key.');
  }
}

function ambiguousUpgrade(description: string) {
  return publicError('request_ambiguous', {
    description,
    mend: 'Open a WebSocket, or leave the upgrade out.',
  });
}
