import { BlockList, isIP } from 'node:net';

/**
 * The client's address. `X-Forwarded-For` is read from the right, as far as the proxies are ours: what stands further
 * left was written by whoever sent the request.
 */
export function createClientAddress(trustProxy: readonly string[]) {
  const trusted = new BlockList();
  for (const range of trustProxy) addRange(trusted, range);
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

  return (socketAddress: string | undefined, forwardedFor: string | undefined): string => {
    let address = plain(socketAddress ?? '');
    if (forwardedFor === undefined) return address;
    const hops = forwardedFor.split(',').map((hop) => plain(hop.trim()));
    while (isIP(address) !== 0 && isTrusted(address)) {
      const next = hops.pop();
      if (next === undefined || isIP(next) === 0) break;
      address = next;
    }
    return address;
  };
}

/** Adds `10.0.0.0/8`, `::1` and the like to a list of addresses. */
function addRange(list: BlockList, range: string): void {
  const [address = '', bits] = range.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

/** An IPv4 address is the same whether or not the socket speaks IPv6. */
function plain(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && isIP(address.slice(7)) === 4
    ? address.slice(7)
    : address;
}
