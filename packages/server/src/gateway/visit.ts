import { passwordConnectorId } from '@tessera/protocol';
import { publicError } from '#errors';
import type { RequestFacts } from '#http';
import { admit, deploymentNotFound, parseRequest, type Admission, type ParsedRequest } from './admission.ts';
import { enterByBypass, passingBypass } from './bypass-entry.ts';
import { isNavigation, type Answers, type OwnAnswer } from './answers.ts';
import type { GatewayNeeds } from './needs.ts';
import { finishSignIn } from './passport/finish.ts';
import type { OwnCookies } from './passport/own-cookies.ts';
import { answerPassword, startPassword } from './passport/password.ts';
import { signOut } from './passport/sign-out.ts';
import { signInRequired, startSignIn } from './passport/start.ts';
import type { PassportTokens } from './passport/tokens.ts';
import type { ReadCookies } from './request/cookies.ts';
import { valueOf } from './request/header-list.ts';
import type { ReadHost } from './request/host.ts';
import type { OwnNames } from './request/own-names.ts';
import type { SentRequest } from './request/sent-request.ts';

export type VisitNeeds = GatewayNeeds & {
  names: OwnNames;
  readHost: ReadHost;
  readCookies: ReadCookies;
  ownCookies: OwnCookies;
  tokens: PassportTokens;
  answers: Answers;
};

/** What becomes of a request: it may go on to its deployment, or is answered here. */
export type Asked =
  | { readonly is: 'forward'; readonly admission: Admission }
  | { readonly is: 'answer'; readonly answer: OwnAnswer };

/** What tells the upstream who visits, and what it can prove itself with. */
export type UpstreamTokens = {
  readonly visitorToken: string | undefined;
  readonly workloadToken: string | undefined;
};

export type Visit = ReturnType<typeof createVisit>;

/** Everything before the upstream, for whoever asks: this gateway itself, or a front proxy that forwards by itself. */
export function createVisit(needs: VisitNeeds) {
  const { names, wire, answers } = needs;

  /** Below our own folder only exactly spelled paths exist, and none ever reaches an upstream. */
  async function answerOwnPath(
    request: SentRequest,
    { reference, clientAddress }: RequestFacts,
    { host, site, cookies, session, target, verdict }: Admission,
  ): Promise<OwnAnswer> {
    switch (target.path) {
      case wire.finishPath: {
        const { query } = target;
        const finished = await finishSignIn(needs, request, { host, site, cookies, query, reference });
        return answers.redirect(finished.location, finished.cookies);
      }
      case wire.passwordPath: {
        const passes = verdict.outcome.is === 'pass';
        const at = { host, site, cookies, query: target.query, clientAddress, reference, passes };
        const answer = await answerPassword(needs, request, at);
        return 'page' in answer
          ? answers.page(answer.page)
          : answers.redirect(answer.location, answer.cookies);
      }
      case wire.signOutPath: {
        const { signOutPath } = wire;
        const ended = await signOut(needs, request, { host, site, cookies, session, signOutPath, reference });
        return answers.page(ended.page, ended.cookies);
      }
      default:
        throw publicError('not_found', { description: 'There is nothing at this address.' });
    }
  }

  return {
    /** @throws {PublicError} for what has more than one reading */
    parse: (request: SentRequest): ParsedRequest => parseRequest(needs, request),

    /** @throws {GatewayError | PublicError} whatever is refused; anything else is a decision that was not made */
    async ask(request: SentRequest, parsed: ParsedRequest, facts: RequestFacts): Promise<Asked> {
      const ownPath = names.isOwnPath(parsed.target.path);
      const { clientAddress } = facts;
      const admission = await admit(needs, parsed, { clientAddress, wantsSession: ownPath });
      const { outcome, rules } = admission.verdict;
      if (admission.bypasses.wrongSecrets > 0) {
        await needs.bypasses.guesses.count(admission.site.project.id, clientAddress);
      }
      // Before our own paths: they would tell that there is something here.
      if (outcome.is === 'hide') throw deploymentNotFound(admission.host);
      if (ownPath) return { is: 'answer', answer: await answerOwnPath(request, facts, admission) };
      const because = rules.at(-1)?.answer.because ?? '';
      switch (outcome.is) {
        case 'pass': {
          const { session } = admission;
          if (outcome.sessionId !== undefined && session !== undefined) needs.visitors.markSeen(session);
          const used = passingBypass(admission);
          if (used?.kind === 'automation') needs.bypasses.automation.markUsed(used.id);
          const entry = enterByBypass(needs, request, admission);
          if (entry !== undefined) {
            return { is: 'answer', answer: answers.redirect(entry.location, entry.cookies) };
          }
          return { is: 'forward', admission };
        }
        case 'sign-in': {
          const { host, site, cookies, target } = admission;
          const { connectorId } = outcome;
          const at = { host, site, cookies, connectorId, path: target.forwarded, because, clientAddress };
          const start = await startSignIn(needs, request, at);
          return { is: 'answer', answer: answers.redirect(start.location, start.cookies) };
        }
        case 'password': {
          const { host, cookies, target } = admission;
          const start = startPassword(needs, request, { host, cookies, path: target.forwarded, because });
          return { is: 'answer', answer: answers.redirect(start.location, start.cookies) };
        }
        case 'refuse': {
          if (outcome.code !== undefined) {
            throw publicError(outcome.code, {
              description: because,
              ...(outcome.code === 'too_many_tries' ? { headers: { 'retry-after': '600' } } : {}),
            });
          }
          const { session, companion } = admission.cookies;
          if (session.is === 'several' || companion.is === 'several') {
            // A program has no session then. A browser would come back from a sign-in with as many cookies as before.
            if (!isNavigation(request)) throw signInRequired(admission.host, '/', because);
            throw publicError('cookies_ambiguous', {
              description: because,
              headers: { 'clear-site-data': '"cookies"' },
            });
          }
          throw publicError('visit_refused', { description: because });
        }
      }
    },

    async tokensFor({ site, verdict, session }: Admission): Promise<UpstreamTokens> {
      const visitor =
        verdict.outcome.is === 'pass' && verdict.outcome.sessionId !== undefined ? session : undefined;
      // One after the other: both are nearly always there already, and need no waiting for both.
      const visitorToken =
        // Who gave a password is nobody in particular.
        visitor === undefined || visitor.connectorId === passwordConnectorId
          ? undefined
          : await needs.tokens.visitorToken(visitor, site);
      return { visitorToken, workloadToken: await needs.workloads.forDeployment(site) };
    },
  };
}

/**
 * Only a page of this host may open a WebSocket by a cookie, of a session or of a bypass, or by the address that it comes
 * from: both come along from every other page as well, and no browser keeps a page from reading what a WebSocket says.
 *
 * @throws {PublicError} `upgrade_refused`
 */
export function validateUpgradeOrigin(request: SentRequest, admission: Admission): void {
  const { session, host, verdict } = admission;
  const { outcome } = verdict;
  const origin = valueOf(request.rawHeaders, 'origin');
  const isByCookie = session !== undefined || passingBypass(admission)?.by === 'cookie';
  const isByAddress =
    outcome.is === 'pass' && outcome.personal && (outcome.by === 'trusted-ips' || outcome.by === 'scope');
  if ((isByCookie || isByAddress) && origin !== undefined && origin !== host.origin) {
    throw publicError('upgrade_refused', { description: 'The Origin is another one than this deployment.' });
  }
}
