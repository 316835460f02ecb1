import { hash } from 'node:crypto';
import { createId, formatPassportSubject } from '@tessera/protocol';
import type { JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { TokenRefused } from '#keys';
import { equalInConstantTime } from '#sealing';
import type { VisitorSession } from '#visitors';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';

/** JOSE `typ` of the cookie's token: nothing but the gateway takes it. */
const sessionTokenType = 'passport-session+jwt';
const visitorTokenType = 'JWT';
const visitorTokenSeconds = 300;
/** A token that is handed on must be good for as long as a slow upstream may need to look at it. */
const leastRestMilliseconds = 60_000;
// A verifier whose clock is a little behind would refuse a token that is valid from this very second.
const clockDifferenceSeconds = 30;

/** What the cookie's token says and the gateway has verified. */
export type SessionClaims = {
  readonly sid: string;
  readonly host: string;
  readonly companionHash: string;
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Of the keys when it was verified: it may have been signed with one that is not in force any more. */
  readonly keyEpoch: number;
};

type HandedOn = { readonly token: Promise<string>; readonly expiresAt: number };

/** Or it ends with the session itself, and no other one would last longer. */
const isGood = ({ expiresAt }: HandedOn, now: number, session: VisitorSession) =>
  expiresAt - now > leastRestMilliseconds || (expiresAt >= session.expiresAt && expiresAt > now);

export type PassportTokens = ReturnType<typeof createPassportTokens>;

/**
 * The two tokens of a visitor. They carry the same claims, but each is refused in the place of the other: the
 * cookie's by its JOSE `typ`, its `host` and its companion, the header's by not having these.
 */
export function createPassportTokens(needs: Pick<GatewayNeeds, 'clock' | 'keys' | 'urls'>) {
  const { clock, keys, urls } = needs;
  /** By the site itself, which is the same object for as long as it is remembered; so is a session below. */
  const namesOf = new WeakMap<Site, { issuer: string; audience: string }>();
  function nameOf(site: Site): { issuer: string; audience: string } {
    let names = namesOf.get(site);
    if (names === undefined) {
      const { team, project, deployment } = site;
      names = {
        issuer: `${urls.passport}/${team.slug}`,
        audience: `${urls.origin}/${team.slug}/${project.name}/${deployment.environment}`,
      };
      namesOf.set(site, names);
    }
    return names;
  }
  const verified = new LRUCache<string, SessionClaims>({ max: 20_000 });
  const proven = new WeakMap<RequestCookies, SessionClaims>();
  const spokenOf = new WeakMap<SessionClaims, VisitorSession>();
  const lastHandedOn = new WeakMap<VisitorSession, { site: Site; keyEpoch: number; known: HandedOn }>();
  const handedOn = new LRUCache<string, HandedOn>({ max: 20_000 });
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
      iss: nameOf(site).issuer,
      aud: nameOf(site).audience,
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

  /** Whether verified claims count at a site now: they may have been verified for another, or have expired since. */
  function countsAt({ issuer, audience, expiresAt }: SessionClaims, site: Site): boolean {
    const names = nameOf(site);
    return issuer === names.issuer && audience === names.audience && expiresAt > clock.now();
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
      const key = hash('sha256', token, 'base64url');
      let claims = verified.get(key);
      if (claims === undefined) {
        const keyEpoch = keys.epoch();
        try {
          const payload = await keys.verify(token, {
            purpose: 'passport',
            type: sessionTokenType,
            ...nameOf(site),
          });
          claims = sessionClaimsOf(payload, keyEpoch);
        } catch (error) {
          if (error instanceof TokenRefused) return undefined;
          throw error;
        }
        if (claims === undefined) return undefined;
        // While it was verified, its key may have been revoked.
        if (keys.epoch() === keyEpoch) verified.set(key, claims);
      }
      return countsAt(claims, site) ? claims : undefined;
    },

    /** Claims that these very cookies have proven before, with the companion that belongs to them, if they count here. */
    recallProven(cookies: RequestCookies, site: Site): SessionClaims | undefined {
      const claims = proven.get(cookies);
      return claims?.keyEpoch === keys.epoch() && countsAt(claims, site) ? claims : undefined;
    },

    /** Whether claims speak of this session: compared once for the same objects. */
    speakOf(claims: SessionClaims, session: VisitorSession): boolean {
      if (spokenOf.get(claims) === session) return true;
      const isThisOne = equalInConstantTime(session.companionHash, claims.companionHash);
      if (isThisOne) spokenOf.set(claims, session);
      return isThisOne;
    },

    keepProven(cookies: RequestCookies, claims: SessionClaims): void {
      proven.set(cookies, claims);
    },

    /** The token that tells the upstream who is visiting: of five minutes, the same until its last one. */
    visitorToken(session: VisitorSession, site: Site): Promise<string> {
      const now = clock.now();
      const last = lastHandedOn.get(session);
      if (last?.site === site && last.keyEpoch === keys.epoch() && isGood(last.known, now, session)) {
        return last.known.token;
      }
      forgetWhenKeysEnd();
      const keyEpoch = keys.epoch();
      const { issuer, audience } = nameOf(site);
      // What is sealed is another text whenever the provider was asked again, and may have said something new.
      const asked = session.providerTokens?.sealed.slice(-16) ?? '';
      const key = `${session.id} ${asked} ${site.deployment.id} ${issuer} ${audience}`;
      const known = handedOn.get(key);
      if (known !== undefined && isGood(known, now, session)) {
        known.token.then(
          () => lastHandedOn.set(session, { site, keyEpoch, known }),
          () => undefined,
        );
        return known.token;
      }
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

function sessionClaimsOf(payload: JWTPayload, keyEpoch: number): SessionClaims | undefined {
  const { iss: issuer, aud: audience, exp = 0, sid, host, companion_hash: companionHash } = payload;
  if (payload['typ'] !== 'passport') return undefined;
  if (typeof issuer !== 'string' || typeof audience !== 'string') return undefined;
  if (typeof sid !== 'string' || typeof host !== 'string' || typeof companionHash !== 'string')
    return undefined;
  return { sid, host, companionHash, issuer, audience, expiresAt: exp * 1000, keyEpoch };
}
