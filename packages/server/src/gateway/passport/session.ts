import { passwordConnectorId } from '@tessera/protocol';
import { equalInConstantTime, hashSecret } from '#sealing';
import type { SessionFact } from '#protection';
import type { VisitorSession } from '#visitors';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';
import type { RequestHost } from '../request/host.ts';
import type { PassportTokens } from './tokens.ts';

export type FoundSession = { readonly fact: SessionFact; readonly session: VisitorSession | undefined };

export const noSession: FoundSession = { fact: { state: 'none' }, session: undefined };

const refused = (because: string): FoundSession => ({
  fact: { state: 'refused', because },
  session: undefined,
});

/**
 * The visitor's session, if the cookies prove one that counts at this site now. The token says which session, its
 * companion that this browser was given it, the table that nobody has ended it; all three must agree about the host.
 * Throws `DatabaseUnavailable`: a session that cannot be looked up does not count.
 */
export async function findSession(
  needs: Pick<GatewayNeeds, 'visitors'> & { tokens: PassportTokens },
  cookies: RequestCookies,
  host: RequestHost,
  site: Site,
): Promise<FoundSession> {
  if (cookies.session.is === 'several' || cookies.companion.is === 'several') {
    return {
      fact: { state: 'ambiguous', because: 'Two session cookies of one name were sent.' },
      session: undefined,
    };
  }
  if (cookies.session.is === 'absent') return noSession;
  const proven = needs.tokens.recallProven(cookies, site);
  const claims = proven ?? (await needs.tokens.verifySession(cookies.session.value, site));
  if (claims === undefined) return refused('The session cookie is not one that counts here.');
  if (claims.host !== host.name) return refused('The session cookie belongs to another host.');
  if (proven === undefined) {
    if (cookies.companion.is === 'absent') return refused('The session cookie came without its companion.');
    if (!equalInConstantTime(hashSecret(cookies.companion.value), claims.companionHash)) {
      return refused('The session cookie came with the companion of another one.');
    }
    needs.tokens.keepProven(cookies, claims);
  }
  const session = await needs.visitors.findRemembered(claims.sid);
  if (session === undefined) return refused('The session has ended.');
  if (!needs.tokens.speakOf(claims, session)) {
    return refused('The session cookie is not one that counts here.');
  }
  return foundSessionOf(session, host, site);
}

/** Whether a session that goes on counts at this site, by its settings of now. */
export function foundSessionOf(
  session: VisitorSession,
  host: Pick<RequestHost, 'name'>,
  site: Site,
): FoundSession {
  const counts =
    session.host === host.name &&
    session.teamId === site.team.id &&
    session.projectId === site.project.id &&
    session.environment === site.deployment.environment;
  if (!counts) return refused('The session belongs to another deployment.');
  const { passwordProtection } = site.project.protection;
  const ofPassword = session.connectorId === passwordConnectorId;
  // Ended with the password in one unit; but one that was being made meanwhile was not there yet to be ended.
  if (ofPassword && session.claims['password_version'] !== passwordProtection?.version) {
    return refused('The password has changed.');
  }
  return {
    fact: { state: 'valid', sessionId: session.id, of: ofPassword ? 'password' : 'person' },
    session,
  };
}
