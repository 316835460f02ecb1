import { publicError } from '#errors';
import { decide, type Verdict } from '#protection';
import type { VisitorSession } from '#visitors';
import type { BypassFacts } from './bypass-facts.ts';
import { gatherFacts, type Asking, type FactNeeds } from './facts.ts';
import type { GatewayNeeds, Site } from './needs.ts';
import type { ReadCookies, RequestCookies } from './request/cookies.ts';
import { valuesOf } from './request/header-list.ts';
import { parseFraming, type Body } from './request/headers.ts';
import { parsePresented, type Presented } from './request/presented.ts';
import type { ReadHost, RequestHost } from './request/host.ts';
import type { OwnNames } from './request/own-names.ts';
import type { SentRequest } from './request/sent-request.ts';
import { parseTarget, type RequestTarget } from './request/target.ts';

/** A request in its one reading. Everything that is decided and forwarded comes from here. */
export type ParsedRequest = {
  readonly method: string;
  readonly host: RequestHost;
  readonly target: RequestTarget;
  readonly cookies: RequestCookies;
  /** What was sent in the header of trusted sources. */
  readonly trustedTokens: readonly string[];
  readonly body: Body;
  readonly presented: Presented;
};

/** A parsed request, the deployment it is for, and what was decided. */
export type Admission = ParsedRequest & {
  readonly site: Site;
  readonly session: VisitorSession | undefined;
  readonly verdict: Verdict;
  readonly bypasses: BypassFacts;
};

/** @throws {PublicError} for what has more than one reading */
export function parseRequest(
  needs: { names: OwnNames; readHost: ReadHost; readCookies: ReadCookies },
  request: SentRequest,
): ParsedRequest {
  const { rawHeaders, method = '', httpVersionMajor, url = '' } = request;
  // Node also takes a request line without a version, as in HTTP/0.9.
  if (httpVersionMajor !== 1) {
    throw publicError('request_ambiguous', {
      description: 'A request in another version than HTTP/1.0 or HTTP/1.1 was received.',
      headers: { connection: 'close' },
    });
  }
  const host = needs.readHost(rawHeaders);
  // PRI is what begins a connection of HTTP/2, and no request's (RFC 9113 section 3.4).
  if (method === 'TRACE' || method === 'CONNECT' || method === 'TRACK' || method === 'PRI') {
    throw publicError('request_not_forwarded', { description: `${method} is not forwarded.` });
  }
  // HTTP/2 takes any word; an upstream might read `trace` as the one it resembles.
  if (!/^[A-Z][A-Z-]{0,31}$/.test(method)) {
    throw publicError('request_not_forwarded', { description: 'A method of other letters than A to Z.' });
  }
  const body = parseFraming(request);
  const target = parseTarget(url, needs.names);
  return {
    method,
    host,
    target,
    body,
    cookies: needs.readCookies(valuesOf(rawHeaders, 'cookie')),
    trustedTokens: valuesOf(rawHeaders, needs.names.wire.trustedTokenHeader),
    presented: parsePresented(rawHeaders, target.query, needs.names),
  };
}

/**
 * Host → deployment → facts → verdict. The session is looked up where there is something to protect, and for
 * `wantsSession`, which asks for it by itself.
 *
 * @throws {PublicError} `deployment_not_found`, also where the deployment hides from this address;
 *   `DatabaseUnavailable`
 */
export async function admit(
  needs: Pick<GatewayNeeds, 'deployments'> & FactNeeds,
  parsed: ParsedRequest,
  asking: Asking,
): Promise<Admission> {
  const site = await needs.deployments.findByHost(parsed.host.name);
  if (site === undefined) throw deploymentNotFound(parsed.host);
  const { facts, session, bypasses } = await gatherFacts(needs, parsed, site, asking);
  return { ...parsed, session, bypasses, site, verdict: decide(facts) };
}

/** One answer for a host that is nobody's and for one that hides: they cannot be told apart. */
export function deploymentNotFound(host: RequestHost) {
  return publicError('deployment_not_found', { description: `No deployment has the host ${host.name}.` });
}
