import { BlockList, isIP } from 'node:net';

export type UpstreamAllow = {
  /** Addresses or CIDR ranges for every team. */
  all: readonly string[];
  /** The same for single teams, by slug. */
  byTeam: ReadonlyMap<string, readonly string[]>;
};

/**
 * Why a team may not use an upstream, in words; undefined when nothing speaks against it yet. Names are not resolved
 * here: what a name means may change, so the gateway judges the address at each connect.
 */
export function upstreamProblem(
  upstream: string,
  teamSlug: string,
  {
    allow,
    ownHosts,
    domain,
  }: { allow: UpstreamAllow; ownHosts: readonly string[]; domain: string | undefined },
): string | undefined {
  const url = new URL(upstream);
  if (ownHosts.includes(url.host)) return `"${url.host}" is this service itself.`;
  const host = url.hostname.replaceAll(/[[\]]/g, '').replace(/\.$/, '');
  if (domain !== undefined && (host === domain || host.endsWith(`.${domain}`))) {
    return `"${host}" is a host of deployments: a gateway before itself would never end.`;
  }
  const addresses = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  if (host !== 'localhost' && isIP(host) === 0) return undefined;
  if (addresses.some((address) => linkLocal.check(address, familyOf(address)))) {
    return `"${host}" is a link-local address, where clouds keep their credentials.`;
  }
  const ranges = [...allow.all, ...(allow.byTeam.get(teamSlug) ?? [])];
  const allowed = listOf(ranges);
  if (addresses.some((address) => allowed.check(address, familyOf(address)))) return undefined;
  return `"${host}" is not in the networks that this team may use (${ranges.join(', ') || 'none'}).`;
}

const linkLocal = listOf(['169.254.0.0/16', 'fe80::/10', '::ffff:169.254.0.0/112']);

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
