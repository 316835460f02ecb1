import type { Principal } from '#attempts';
import { ProviderFailure, type Connector } from '#connectors';

/** All claims together travel in a request header, and many upstreams refuse headers of more than 16 KiB. */
const maximumClaimsLength = 8 * 1024;
const maximumTextLength = 320;

/**
 * Who the person is. An earlier source (userinfo) goes before a later one (the ID token); e-mail and whether it is verified are taken from one and the
 * same of the two, so that the word of one does not vouch for the address of the other.
 *
 * @throws ProviderFailure at step `userinfo` when there is more than can be forwarded
 */
export function toPrincipal(
  connector: Connector,
  named: { externalSub: string; externalIss: string; externalSid?: unknown },
  sources: readonly Readonly<Record<string, unknown>>[],
): Principal {
  const find = (name: string) =>
    sources.find((source) => Object.hasOwn(source, name) && source[name] !== null)?.[name];

  const claims: Record<string, unknown> = {};
  for (const name of connector.forwardedClaims) {
    const value = find(name);
    if (value !== undefined) claims[name] = value;
  }
  if (JSON.stringify(claims).length > maximumClaimsLength) {
    throw new ProviderFailure('userinfo', {
      received: `more than ${maximumClaimsLength} characters of forwarded claims`,
      expected: 'claims that fit into a request header',
      mend: 'Forward fewer claims, or let the identity provider give fewer values (for groups: only those of this application).',
    });
  }

  const withEmail = sources.find((source) => text(source['email']) !== undefined);
  const email = text(withEmail?.['email']);
  const emailVerified = verifiedOf(withEmail);
  const name = text(find('name'));
  const sid = text(named.externalSid);
  return {
    externalSub: named.externalSub,
    externalIss: named.externalIss,
    ...(sid === undefined ? {} : { externalSid: sid }),
    ...(email === undefined ? {} : { email }),
    ...(emailVerified === undefined ? {} : { emailVerified }),
    ...(name === undefined ? {} : { name }),
    claims,
  };
}

/** Undefined where the provider does not say: that is for the deployment to see. Some give the word as a string. */
function verifiedOf(source: Readonly<Record<string, unknown>> | undefined): boolean | undefined {
  const verified = source?.['email_verified'] ?? undefined;
  return verified === undefined ? undefined : verified === true || verified === 'true';
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maximumTextLength ? value : undefined;
}
