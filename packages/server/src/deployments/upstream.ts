import { isIP } from 'node:net';
import type { UpstreamAddresses } from './upstream-addresses.ts';

/** What `localhost` and every name below it mean, whatever a resolver says (RFC 6761). */
export const localhostAddresses = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
] as const;

export function isLocalhost(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

/** The port that a URL of http or https is for. */
export function portOf({ protocol, port }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/**
 * Why a team may not use an upstream, in words; undefined when nothing speaks against it yet. Other names are not
 * resolved here: what a name means may change, so the gateway judges the address at each connect.
 */
export function upstreamProblem(
  upstream: string,
  teamSlug: string,
  {
    addresses,
    ownHosts,
    domain,
  }: { addresses: UpstreamAddresses; ownHosts: readonly string[]; domain: string | undefined },
): string | undefined {
  const url = new URL(upstream);
  if (ownHosts.includes(url.host)) return `"${url.host}" is this service itself.`;
  const host = url.hostname.replaceAll(/[[\]]/g, '').replace(/\.$/, '');
  if (domain !== undefined && (host === domain || host.endsWith(`.${domain}`))) {
    return `"${host}" is a host of deployments: a gateway before itself would never end.`;
  }
  if (!isLocalhost(host) && isIP(host) === 0) return undefined;
  // The gateway refuses a name when it refuses any of its addresses.
  for (const { address } of isLocalhost(host) ? localhostAddresses : [{ address: host }]) {
    const refusal = addresses.findRefusal(address, portOf(url), teamSlug);
    if (refusal === undefined) continue;
    return address === host ? `"${host}" is ${refusal}.` : `"${host}" is ${address}, which is ${refusal}.`;
  }
  return undefined;
}
