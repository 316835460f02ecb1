import { oauthError, publicError } from '#errors';
import type { Way } from './way.ts';

// A session is made with our clock, a logout token with the provider's.
const clockToleranceMilliseconds = 60_000;

/**
 * OpenID Connect Back-Channel Logout 1.0 section 2.7: a provider ends its session, and ours with it. What is ended began
 * before the token was made, so that a token that is played back signs out nobody who has signed in since.
 *
 * @throws {OAuthError} `invalid_request`; `not_found`, `unavailable`
 */
export async function endProviderSession(
  way: Way,
  connectorId: string,
  form: ReadonlyMap<string, string>,
  reference: string,
): Promise<void> {
  const token = form.get('logout_token');
  if (token === undefined) throw oauthError('invalid_request', "Parameter 'logout_token'. Required");
  const connector = await way.connectors.find(connectorId);
  if (connector === undefined) throw publicError('not_found');
  const logout = await way.providers.verifyLogout(connector, token);
  const before = logout.issuedAt + way.clock.offset() + clockToleranceMilliseconds;
  await way.database.write([
    ...way.visitors.endByProvider(connector, { ...logout, before }),
    way.audit.record({
      actor: connector.id,
      action: 'passport-session.end-many',
      object: connector.id,
      teamId: connector.teamId,
      after: { by: 'provider', externalSub: logout.externalSub, externalSid: logout.externalSid },
      reference,
    }),
  ]);
}
