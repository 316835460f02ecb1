import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { publicError } from '#errors';
import { endSocket, type NodeDoor, type RequestFacts } from '#http';
import { isNavigation, type Answers, type OwnAnswer } from '../answers.ts';
import type { GatewayNeeds } from '../needs.ts';
import { valuesOf } from '../request/header-list.ts';
import { asksForWebSocket, overridesMethod } from '../request/headers.ts';
import type { OwnNames } from '../request/own-names.ts';
import type { SentRequest } from '../request/sent-request.ts';
import { validateUpgradeOrigin, type Visit } from '../visit.ts';
import { createDecisionAnswers } from './decision-answers.ts';
import { createToldReader, dialectOf, type DialectName, type ToldRequest } from './dialects.ts';
import { createFrontProxies, type FrontProxyBinding } from './front-proxies.ts';

export type DecisionNeeds = Pick<GatewayNeeds, 'address' | 'clock' | 'logger' | 'wire'> & {
  names: OwnNames;
  answers: Answers;
  visit: Visit;
  frontProxies: readonly FrontProxyBinding[];
  clientAddress(socketAddress: string | undefined, forwardedFor: string | undefined): string;
};

type Decided =
  | { readonly is: 'pass'; readonly headers: string[] }
  | { readonly is: 'refuse'; readonly answer: OwnAnswer };

/**
 * The decision of the gateway for those who keep a proxy of their own: it asks here about every request, forwards by
 * itself what may pass, and answers the visitor with what this says. The same reading, the same facts and the same
 * decision as the gateway's own; only who brings the answer is another.
 *
 * Closed: no credential, another host, a part that is missing or there twice, and whatever goes wrong, are answered
 * by 401, 403, 4xx or 5xx and carry no token.
 */
export function createDecisionDoor(needs: DecisionNeeds): NodeDoor {
  const { wire, names, visit } = needs;
  const proxies = createFrontProxies(needs.frontProxies, wire.decisionCredentialHeader);
  const protocol = needs.address.protocol.slice(0, -1);
  const tell = createDecisionAnswers(wire);
  const readTold = createToldReader();

  async function decide(
    dialect: DialectName,
    told: ToldRequest,
    mayAskAbout: (host: string) => boolean,
    called: RequestFacts,
  ): Promise<Decided> {
    const { sent } = told;
    const parsed = visit.parse(sent);
    const { host, target } = parsed;
    if (!mayAskAbout(host.name)) {
      throw publicError('decision_host_refused', {
        description: `This proxy is not bound to ${host.name}.`,
      });
    }
    if (told.protocol.toLowerCase() !== protocol) {
      throw publicError('request_ambiguous', {
        description: `The protocol ${told.protocol} was received. Expected ${protocol}.`,
      });
    }
    // A page of ours has a status that means "pass" here.
    if (names.isOwnPath(target.path)) throw publicError('decision_path_refused');
    const facts = {
      reference: called.reference,
      clientAddress: needs.clientAddress(told.address, told.addressesBefore),
    };
    const asked = await visit.ask(sent, parsed, facts);
    if (asked.is === 'answer') return { is: 'refuse', answer: tell.refuse(dialect, asked.answer) };
    const { admission } = asked;
    if (asksForWebSocket(sent.rawHeaders)) validateUpgradeOrigin(sent, admission);
    const { outcome } = admission.verdict;
    if (outcome.is === 'pass' && outcome.by === 'options-allowlist' && overridesMethod(sent.rawHeaders)) {
      throw publicError('visit_refused', { description: 'A preflight must not name another method.' });
    }
    if (target.forwarded !== sent.url) {
      // What is in the address comes to the upstream, since no proxy can be told to take it out.
      const bySession = outcome.is === 'pass' && outcome.sessionId !== undefined;
      if (!bySession || !isNavigation(sent)) throw publicError('decision_query_refused');
      const plain = needs.answers.redirect(`${host.origin}${target.forwarded}`, []);
      return { is: 'refuse', answer: tell.refuse(dialect, plain) };
    }
    const { visitorToken, workloadToken } = await visit.tokensFor(admission);
    const cookies = admission.cookies.forwarded;
    const passed = { cookies, visitorToken, workloadToken, sent: sent.rawHeaders };
    return { is: 'pass', headers: tell.pass(dialect, passed) };
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
  ): Promise<void> {
    const dialect = dialectOf(request.url ?? '');
    let visitor: SentRequest = request;
    try {
      const proxy = proxies.authenticate(request);
      if (dialect === undefined) throw publicError('not_found', { description: 'There is no such dialect.' });
      // A self-check asks for this, to see what the proxy does when nobody decides. Not everybody may: a proxy takes a
      // listener that hangs up out of its rotation.
      const [probe] = valuesOf(request.rawHeaders, wire.decisionProbeHeader);
      if (probe !== undefined && (await proxy.isProbe(probe, needs.clock.now()))) {
        request.socket.destroy();
        return;
      }
      const told = readTold(dialect, request);
      visitor = told.sent;
      const decided = await decide(dialect, told, (host) => proxy.mayAskAbout(host), facts);
      if (decided.is === 'refuse') needs.answers.send(request, response, facts, decided.answer);
      else
        needs.answers.sendList(request, response, facts, { status: 200, headers: decided.headers, body: '' });
    } catch (thrown) {
      const { error, answer: refusal } = needs.answers.error(visitor, facts, thrown);
      const fields = { reference: facts.reference, error: error.code, cause: error.cause, dialect };
      if (error.status >= 500) needs.logger.warn('decision.failed', fields);
      else needs.logger.debug('decision.refused', fields);
      needs.answers.send(request, response, facts, tell.refuse(dialect ?? 'forward-auth', refusal));
    }
  }

  return {
    request(request, response, facts) {
      void answer(request, response, facts);
    },

    // A proxy that hands on the visitor's `Upgrade` as well is answered as any other, and nothing is upgraded.
    upgrade(request, socket, _head, facts) {
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(socket as Socket);
      response.once('finish', () => endSocket(socket));
      void answer(request, response, facts);
    },
  };
}
