import { randomBytes } from 'node:crypto';
import { platformConnectorId } from '@tessera/protocol';
import { passportHandOffPurpose, visitorClaimsOf, type PassportHandOff } from '#attempts';
import { publicError, type ErrorCode } from '#errors';
import { hashSecret } from '#sealing';
import { GatewayError, isNavigation } from '../answers.ts';
import { findEntranceOf } from '../facts.ts';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';
import type { RequestHost } from '../request/host.ts';
import type { SentRequest } from '../request/sent-request.ts';
import type { OwnCookies } from './own-cookies.ts';
import type { PassportTokens } from './tokens.ts';

export type FinishNeeds = Pick<
  GatewayNeeds,
  'attempts' | 'audit' | 'codes' | 'database' | 'scheduleRefresh' | 'visitors'
> & {
  tokens: PassportTokens;
  ownCookies: OwnCookies;
};

/** Of a visitor with a platform account; whether they are still of the team is asked at every request. */
const platformSessionSeconds = 12 * 60 * 60;

type At = { host: RequestHost; site: Site; cookies: RequestCookies; query: string; reference: string };

/**
 * The last step of a visitor's way: the hand-off code becomes a session. The first presentation ends the code, whether
 * the cookie was right or not, in the same unit that makes the session; a spent one leads back to the page, which
 * leads to a new sign-in where one is needed.
 *
 * @throws {GatewayError} `hand_off_…`, `visitor_too_large`
 */
export async function finishSignIn(
  needs: FinishNeeds,
  request: SentRequest,
  at: At,
): Promise<{ location: string; cookies: string[] }> {
  const home = { next: { href: `${at.host.origin}/`, label: 'Open the deployment' } };
  if (request.method !== 'GET') {
    throw publicError('request_not_forwarded', { headers: { allow: 'GET' } });
  }
  const code = readCode(at.query);
  const found =
    code === undefined ? undefined : await needs.codes.find<PassportHandOff>(passportHandOffPurpose, code);
  if (code === undefined || found === undefined)
    throw new GatewayError(publicError('hand_off_unknown'), home);
  const handOff = found.payload;
  const ofThisBrowser = needs.ownCookies.isBound(at.cookies, handOff.companionHash);
  const page = pageOf(at.host, ofThisBrowser && handOff.host === at.host.name ? handOff.path : '/');
  if (found.state !== 'live') return beginAnew(request, page, handOff.reference);

  const fault = findFault(handOff, at, ofThisBrowser);
  if (fault !== undefined) {
    return fail(needs, request, at, { code, handOff, page, ...fault });
  }

  const companion = randomBytes(32).toString('base64url');
  const lifetimeSeconds = lifetimeOf(at.site, handOff.connectorId);
  const { session, statements } = needs.visitors.create({
    teamId: at.site.team.id,
    projectId: at.site.project.id,
    environment: at.site.deployment.environment,
    deploymentId: at.site.deployment.id,
    host: at.host.name,
    connectorId: handOff.connectorId,
    externalSub: handOff.principal.externalSub,
    externalIss: handOff.principal.externalIss,
    externalSid: handOff.principal.externalSid,
    claims: visitorClaimsOf(handOff.principal),
    providerTokens: handOff.providerTokens,
    // One that an older version made says nothing of it: whatever was ended lately ends it.
    answeredAt: handOff.answeredAt ?? 0,
    companionHash: hashSecret(companion),
    lifetimeSeconds,
    idleSeconds:
      handOff.connectorId === platformConnectorId
        ? undefined
        : (at.site.project.passport?.sessionIdleSeconds ?? undefined),
  });
  const token = await needs.tokens.signSession(session, at.site);
  const cookies = needs.ownCookies.setSession(token, companion, lifetimeSeconds, at.cookies);
  if (cookies === undefined) {
    const problem = `The session would need ${token.length} bytes of cookies.`;
    return fail(needs, request, at, { code, handOff, page, errorCode: 'visitor_too_large', problem });
  }
  const outcome = await needs.database.tryWrite([
    needs.codes.redeem(passportHandOffPurpose, code),
    ...statements,
    ...needs.scheduleRefresh(session),
    needs.attempts.step(handOff.reference, {
      step: 'session',
      outcome: 'ok',
      detail: `A session of ${lifetimeSeconds} s at ${at.host.name}.`,
    }),
    needs.audit.record({
      actor: handOff.principal.externalSub,
      action: 'passport-session.create',
      object: session.id,
      teamId: at.site.team.id,
      after: { host: at.host.name, projectId: at.site.project.id, connectorId: handOff.connectorId },
      reference: handOff.reference,
    }),
  ]);
  if (!outcome.committed) return beginAnew(request, page, handOff.reference);
  return {
    location: page,
    cookies: [...cookies, ...needs.ownCookies.endAttempt(at.cookies, handOff.companionHash)],
  };
}

/** Back to the page, if somebody is there to go: a program would only follow in circles. */
function beginAnew(
  request: SentRequest,
  page: string,
  reference: string,
): { location: string; cookies: string[] } {
  if (isNavigation(request)) return { location: page, cookies: [] };
  throw new GatewayError(publicError('hand_off_spent'), {
    reference,
    next: { href: page, label: 'Open the page' },
  });
}

/** Ends the code and says why. No redirect: a browser that keeps no cookies would go round for ever. */
async function fail(
  needs: FinishNeeds,
  request: SentRequest,
  at: At,
  failed: { code: string; handOff: PassportHandOff; page: string; errorCode: ErrorCode; problem: string },
): Promise<{ location: string; cookies: string[] }> {
  const { handOff, page } = failed;
  const outcome = await needs.database.tryWrite([
    needs.codes.redeem(passportHandOffPurpose, failed.code),
    needs.attempts.step(handOff.reference, { step: 'hand_off', outcome: 'failed', detail: failed.problem }),
  ]);
  if (!outcome.committed) return beginAnew(request, page, handOff.reference);
  throw new GatewayError(
    publicError(failed.errorCode, {
      description: `Coming back to the deployment (step "hand_off"): ${failed.problem}`,
    }),
    {
      reference: handOff.host === at.host.name ? handOff.reference : at.reference,
      next: { href: page, label: 'Open the page' },
    },
  );
}

function findFault(
  handOff: PassportHandOff,
  { host, site, cookies }: At,
  ofThisBrowser: boolean,
): { errorCode: ErrorCode; problem: string } | undefined {
  const refuse = (problem: string) => ({ errorCode: 'hand_off_refused' as const, problem });
  if (handOff.host !== host.name)
    return refuse('The sign-in was for another host than the one it came back to.');
  if (!ofThisBrowser) {
    return refuse(
      cookies.binding.is === 'absent'
        ? 'The browser sent no cookie of this sign-in: it began in another browser, or cookies are blocked.'
        : 'The browser sent the cookie of another sign-in: it began in another browser.',
    );
  }
  if (handOff.teamId !== site.team.id || handOff.projectId !== site.project.id) {
    return refuse('The host was given to another project while you signed in.');
  }
  const entrance = findEntranceOf(site);
  if (entrance?.by !== 'connector' || entrance.connectorId !== handOff.connectorId) {
    return refuse('The protection of this deployment was changed while you signed in.');
  }
  if (handOff.connectorId !== platformConnectorId && !site.team.passportEnabled) {
    return refuse('Passport was switched off for the team while you signed in.');
  }
  return undefined;
}

/** The connector that the hand-off is from is in force, or `findFault` would have said so. */
function lifetimeOf({ project }: Site, connectorId: string): number {
  return connectorId === platformConnectorId
    ? platformSessionSeconds
    : (project.passport?.sessionLifetimeSeconds ?? 0);
}

/** One `code` of the form that we make. */
function readCode(query: string): string | undefined {
  const codes = query.split('&').filter((piece) => piece.startsWith('code='));
  const [code] = codes;
  return codes.length === 1 && code !== undefined && /^code=[\w-]{43}$/.test(code)
    ? code.slice(5)
    : undefined;
}

/** An absolute address on this host, whatever the path looks like: `//evil` stays a path. */
function pageOf(host: RequestHost, path: string): string {
  return `${host.origin}${/^\/[\x21-\x7e]*$/.test(path) ? path : '/'}`;
}
