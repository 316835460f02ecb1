import { passportStartLifetimeMilliseconds, passportStartPurpose, type PassportStart } from '#attempts';
import { publicError } from '#errors';
import { endSiteOf } from '#limits';
import { GatewayError, isNavigation } from '../answers.ts';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';
import type { RequestHost } from '../request/host.ts';
import type { SentRequest } from '../request/sent-request.ts';
import type { OwnCookies } from './own-cookies.ts';

const longestPath = 4_096;

/**
 * Nobody has to be anybody to begin, and each beginning is kept for a day. Of one line, which may be a whole office's;
 * and of one project, as much as ten such lines.
 */
const mostStarts = 5_000;
const mostStartsOfProject = 50_000;
const startWindowMilliseconds = 10 * 60_000;

/**
 * Sends a visitor to sign in: the browser keeps a cookie of this host, and `{connect}` gets a link that works once and
 * for a minute and carries the cookie's hash. What is not a navigation gets 401 and the address where a person would
 * sign in; a redirect would lose a POST silently and hand scripts a page of another site.
 *
 * @throws {GatewayError | PublicError} `sign_in_required`, `too_many_sign_ins`
 */
export async function startSignIn(
  needs: Pick<GatewayNeeds, 'attempts' | 'codes' | 'database' | 'limits' | 'urls'> & {
    ownCookies: OwnCookies;
  },
  request: SentRequest,
  at: {
    host: RequestHost;
    site: Site;
    cookies: RequestCookies;
    connectorId: string;
    path: string;
    because: string;
    clientAddress: string;
  },
): Promise<{ location: string; cookies: string[] }> {
  const { host, site } = at;
  const path = at.path.length > longestPath ? '/' : at.path;
  if (!isNavigation(request)) {
    const page = request.method === 'GET' || request.method === 'HEAD' ? path : '/';
    throw signInRequired(host, page, at.because, request.method);
  }
  const { hash, headers } = needs.ownCookies.bindAttempt(at.cookies);
  const { reference, statement: attempt } = needs.attempts.begin({
    kind: 'passport',
    teamId: site.team.id,
    projectId: site.project.id,
    deploymentId: site.deployment.id,
    connectorId: at.connectorId,
  });
  const { secret: code, statement: start } = needs.codes.issue<PassportStart>(
    passportStartPurpose,
    {
      host: host.name,
      path,
      deploymentId: site.deployment.id,
      projectId: site.project.id,
      teamId: site.team.id,
      connectorId: at.connectorId,
      bindingHash: hash,
      reference,
    },
    passportStartLifetimeMilliseconds,
  );
  const step = needs.attempts.step(reference, {
    step: 'start',
    outcome: 'ok',
    detail: `Asked for ${host.name}. ${at.because}`,
  });
  const outcome = await needs.database.tryWrite([
    needs.limits.count('visit-start', endSiteOf(at.clientAddress), mostStarts, startWindowMilliseconds),
    needs.limits.count('visit-start-project', site.project.id, mostStartsOfProject, startWindowMilliseconds),
    attempt,
    step,
    start,
  ]);
  if (!outcome.committed) {
    throw publicError('too_many_sign_ins', {
      headers: { 'retry-after': String(startWindowMilliseconds / 1000) },
    });
  }
  return { location: `${needs.urls.connect}/start?code=${code}`, cookies: headers };
}

/** For what is not a navigation: 401 with the address at which a person would sign in. */
export function signInRequired(
  host: RequestHost,
  page: string,
  because: string,
  method?: string,
): GatewayError {
  const isLost = method !== undefined && method !== 'GET' && method !== 'HEAD';
  return new GatewayError(
    publicError('sign_in_required', {
      description: `This deployment is protected. ${because}`,
      // Somebody whose session ended while they filled in a form has to know it.
      ...(isLost
        ? {
            mend: 'Nothing of what was sent was passed on. Sign in at the sign-in address in a browser, then go back and send it again.',
          }
        : {}),
      headers: { 'www-authenticate': `Passport realm="${host.name}"` },
    }),
    { signInUrl: `${host.origin}${page}` },
  );
}
