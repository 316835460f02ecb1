import { enclosingIpRange, formatIpRange, parseIpRange } from '@tessera/protocol';

/**
 * The one name of the network that an address belongs to: an IPv4 address itself, an IPv6 address's /64 (a single
 * machine may have a whole one, and changes within it at will). IPv4 written as IPv6 is IPv4.
 */
export function networkOf(address: string): string {
  return rangeAround(address, 64);
}

/**
 * The same for limits that must not be got round by one line: an IPv6 address's /48, the most that a customer is given
 * (RFC 6177), with 65,536 networks in it.
 */
export function endSiteOf(address: string): string {
  return rangeAround(address, 48);
}

function rangeAround(address: string, bits: number): string {
  const range = parseIpRange(address.split('%')[0] ?? '');
  if (range === undefined) return 'unknown';
  return formatIpRange(range.family === 4 ? range : enclosingIpRange(range, bits));
}
