import { compactVerify } from 'jose';
import type { Clock } from '#clock';
import type { Connector } from '#connectors';
import { oauthError, publicError } from '#errors';
import { RemoteKeysFailure, type RemoteKeys } from '#remote-keys';
import { providerNow, show } from './id-token.ts';

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';
const clockToleranceSeconds = 60;
/** A token that says no end of its own is taken for so long after it was made. */
const longestAgeSeconds = 5 * 60;

/** Whose sessions a provider ended. At least one of `externalSub` and `externalSid` is there. */
export type ProviderLogout = {
  externalSub: string | undefined;
  externalSid: string | undefined;
  /** When the provider made the token, by its own clock, in milliseconds. */
  issuedAt: number;
};

/**
 * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6) by the connector's keys and algorithms.
 * Its `jti` is not kept: the token ends only what began before it was made, so that a second time ends nothing new.
 *
 * @throws {OAuthError} `invalid_request` (400); `not_found` for a connector without keys; `unavailable` while the provider's keys cannot be fetched
 */
export async function verifyLogoutToken(
  token: string,
  connector: Connector,
  needs: { remoteKeys: RemoteKeys; clock: Clock },
): Promise<ProviderLogout> {
  const { header, claims } = await verifySigned(token, connector, needs.remoteKeys);
  const { typ } = header;
  const { iss, aud, sub, sid, iat, exp, nonce, events } = claims;
  const now = providerNow(needs.clock) / 1000;
  if (typ !== undefined && !/^(application\/)?(logout\+jwt|jwt)$/i.test(String(typ))) {
    throw refused(`typ ${show(typ)}`, '"logout+jwt"');
  }
  if (iss !== connector.issuer) throw refused(`iss ${show(iss)}`, `"${connector.issuer}"`);
  if (![aud].flat().includes(connector.clientId)) {
    throw refused(`aud ${show(aud)}`, `"${connector.clientId}", the client id of this connector`);
  }
  if (typeof iat !== 'number' || iat > now + clockToleranceSeconds) {
    throw refused(`iat ${show(iat)}`, 'a time of the past, in seconds');
  }
  const end = typeof exp === 'number' ? exp : iat + longestAgeSeconds;
  if ((exp !== undefined && typeof exp !== 'number') || end < now - clockToleranceSeconds) {
    throw refused('a token whose time is over', 'one that was just made');
  }
  // An ID token, which travels through browsers, must not do as a logout token.
  if (nonce !== undefined) throw refused('a nonce', 'a logout token, which has none');
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, logoutEvent)) {
    throw refused(`events ${show(events)}`, `the member "${logoutEvent}"`);
  }
  const externalSub = identifier('sub', sub);
  const externalSid = identifier('sid', sid);
  if (externalSub === undefined && externalSid === undefined) {
    throw refused('neither sub nor sid', 'at least one of them');
  }
  return { externalSub, externalSid, issuedAt: iat * 1000 };
}

async function verifySigned(token: string, connector: Connector, remoteKeys: RemoteKeys) {
  const { jwksUri } = connector;
  if (jwksUri === undefined) {
    throw publicError('not_found', {
      description:
        'This connector is for OAuth 2.0 alone, whose providers have no keys to sign logout tokens with.',
    });
  }
  try {
    const { payload, protectedHeader } = await compactVerify(token, remoteKeys.at(jwksUri), {
      algorithms: [...connector.idTokenSigningAlgorithms],
    });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof claims !== 'object' || claims === null) throw new TypeError('the claims are no object');
    return { header: protectedHeader, claims: claims as Record<string, unknown> };
  } catch (error) {
    if (error instanceof RemoteKeysFailure && error.reason === 'unreachable') {
      throw publicError('unavailable', {
        description: 'The keys of the identity provider cannot be fetched.',
        cause: error,
      });
    }
    throw refused(
      'a token that the keys of the identity provider do not verify',
      `one signed with ${connector.idTokenSigningAlgorithms.join(', ')}`,
      error,
    );
  }
}

function identifier(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value !== '' && value.length <= 512) return value;
  throw refused(`${name} ${show(value)}`, 'a text of 1 to 512 characters');
}

function refused(received: string, expected: string, cause?: unknown) {
  return oauthError(
    'invalid_request',
    `Parameter 'logout_token'. Received ${received}. Expected ${expected}`,
    {
      cause,
    },
  );
}
