import { createHash } from 'node:crypto';
import { createId, formatPassportSubject } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { TokenRefused } from '#keys';
import type { VisitorSession } from '#visitors';
import type { GatewayNeeds, Site } from '../needs.ts';

/** JOSE `typ` of the cookie's token: nothing but the gateway takes it. */
const sessionTokenType = 'passport-session+jwt';
const visitorTokenType = 'JWT';
const visitorTokenSeconds = 300;
/** A token that is handed on must be good for as long as a slow upstream may need to look at it. */
const leastRestMilliseconds = 60_000;
// A verifier whose clock is a little behind would refuse a token that is valid from this very second.
const clockDifferenceSeconds = 30;

/** What the cookie's token says and the gateway has verified. */
export type SessionClaims = { readonly sid: string; readonly host: string; readonly companionHash: string };

export type PassportTokens = ReturnType<typeof createPassportTokens>;

/**
 * The two tokens of a visitor. They carry the same claims, but each is refused in the place of the other: the
 * cookie's by its JOSE `typ`, its `host` and its companion, the header's by not having these.
 */
export function createPassportTokens(needs: Pick<GatewayNeeds, 'clock' | 'keys' | 'urls'>) {
  const { clock, keys, urls } = needs;
  const issuerOf = (site: Site) => `${urls.passport}/${site.team.slug}`;
  const audienceOf = (site: Site) =>
    `${urls.origin}/${site.team.slug}/${site.project.name}/${site.deployment.environment}`;
  const verified = new LRUCache<string, JWTPayload>({ max: 20_000 });
  const handedOn = new LRUCache<string, { token: Promise<string>; expiresAt: number }>({ max: 20_000 });
  let epoch = keys.epoch();

  /** What is remembered was signed with keys that were in force then. */
  function forgetWhenKeysEnd(): void {
    if (keys.epoch() === epoch) return;
    epoch = keys.epoch();
    verified.clear();
    handedOn.clear();
  }

  function claimsOf(session: VisitorSession, site: Site, expiresAt: number): JWTPayload {
    const issuedAt = Math.floor(clock.now() / 1000);
    const subject = formatPassportSubject({
      teamSlug: site.team.slug,
      connectorId: session.connectorId,
      principal: session.externalSub,
    });
    return {
      // First, so that no claim of the identity provider can take the place of one of ours.
      ...session.claims,
      iss: issuerOf(site),
      aud: audienceOf(site),
      typ: 'passport',
      sub: subject,
      scope: subject,
      external_sub: session.externalSub,
      external_iss: session.externalIss,
      connector_id: session.connectorId,
      owner: site.team.slug,
      owner_id: site.team.id,
      project: site.project.name,
      project_id: site.project.id,
      environment: site.deployment.environment,
      deployment_id: site.deployment.id,
      sid: session.id,
      jti: createId('jti'),
      iat: issuedAt,
      nbf: issuedAt - clockDifferenceSeconds,
      exp: Math.floor(expiresAt / 1000),
    };
  }

  return {
    /** The session cookie's token, as long-lived as the session, for its host alone. */
    signSession(session: VisitorSession, site: Site): Promise<string> {
      return keys.sign({
        purpose: 'passport',
        algorithm: 'RS256',
        type: sessionTokenType,
        claims: {
          ...claimsOf(session, site, session.expiresAt),
          host: session.host,
          companion_hash: session.companionHash,
        },
      });
    },

    /** The claims of a session cookie's token that is good at this site; undefined for any other text. */
    async verifySession(token: string, site: Site): Promise<SessionClaims | undefined> {
      forgetWhenKeysEnd();
      const key = createHash('sha256').update(token).digest('base64url');
      let claims = verified.get(key);
      if (claims === undefined) {
        try {
          claims = await keys.verify(token, {
            purpose: 'passport',
            type: sessionTokenType,
            issuer: issuerOf(site),
            audience: audienceOf(site),
          });
        } catch (error) {
          if (error instanceof TokenRefused) return undefined;
          throw error;
        }
        // While it was verified, its key may have been revoked.
        if (keys.epoch() === epoch) verified.set(key, claims);
      }
      // Again for a remembered one: it may have been verified for another site, or have expired since.
      if (claims.iss !== issuerOf(site) || claims.aud !== audienceOf(site)) return undefined;
      if (claims['typ'] !== 'passport' || (claims.exp ?? 0) * 1000 <= clock.now()) return undefined;
      const { sid, host, companion_hash: companionHash } = claims;
      if (typeof sid !== 'string' || typeof host !== 'string' || typeof companionHash !== 'string')
        return undefined;
      return { sid, host, companionHash };
    },

    /** The token that tells the upstream who is visiting: of five minutes, the same until its last one. */
    visitorToken(session: VisitorSession, site: Site): Promise<string> {
      forgetWhenKeysEnd();
      // What is sealed is another text whenever the provider was asked again, and may have said something new.
      const asked = session.providerTokens?.sealed.slice(-16) ?? '';
      const key = `${session.id} ${asked} ${site.deployment.id} ${issuerOf(site)} ${audienceOf(site)}`;
      const now = clock.now();
      const known = handedOn.get(key);
      if (known !== undefined && known.expiresAt - now > leastRestMilliseconds) return known.token;
      const expiresAt = Math.min(now + visitorTokenSeconds * 1000, session.expiresAt);
      const token = keys.sign({
        purpose: 'passport',
        algorithm: 'RS256',
        type: visitorTokenType,
        claims: claimsOf(session, site, expiresAt),
      });
      token.catch(() => handedOn.delete(key));
      handedOn.set(key, { token, expiresAt });
      return token;
    },
  };
}
