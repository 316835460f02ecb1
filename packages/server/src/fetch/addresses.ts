import { BlockList, isIP } from 'node:net';

/**
 * Every block of the IANA special-purpose registries (RFC 6890 and its updates) that is not plain global unicast,
 * and the one public address that a cloud answers itself.
 */
const refused: ReadonlyArray<readonly [block: string, prefix: number, kind: string]> = [
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'carrier-grade NAT'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'protocol assignment'],
  ['192.0.2.0', 24, 'documentation'],
  ['192.88.99.0', 24, '6to4 relay'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'benchmarking'],
  ['198.51.100.0', 24, 'documentation'],
  ['203.0.113.0', 24, 'documentation'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
  ['168.63.129.16', 32, 'cloud metadata'],
  ['2001::', 23, 'protocol assignment'],
  ['2001:db8::', 32, 'documentation'],
  ['2002::', 16, '6to4'],
  ['3fff::', 20, 'documentation'],
];

const refusedLists = refused.map(([block, prefix, kind]) => {
  const list = new BlockList();
  list.addSubnet(block, prefix, block.includes(':') ? 'ipv6' : 'ipv4');
  return { list, kind, family: block.includes(':') ? 6 : 4 } as const;
});

// Only 2000::/3 is handed out as global unicast. All else in IPv6 (loopback, mapped and translated IPv4, unique
// local, link-local, multicast, NAT64) lies outside it, so one allowed block is safer than a list of refused ones.
const globalUnicast6 = new BlockList();
globalUnicast6.addSubnet('2000::', 3, 'ipv6');

/**
 * Says why an address must not be reached, or `undefined` for a public one.
 *
 * @param address an IPv4 or IPv6 address as the resolver or `URL.hostname` spells it, brackets allowed
 */
export function findRefusal(address: string): string | undefined {
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  const family = isIP(bare);
  // A zone (`fe80::1%eth0`) only makes sense for addresses of this link.
  if (family === 0 || bare.includes('%')) return 'not an address';
  if (family === 6 && !globalUnicast6.check(bare, 'ipv6')) return 'not global unicast IPv6';
  return refusedLists.find(
    (entry) => entry.family === family && entry.list.check(bare, family === 6 ? 'ipv6' : 'ipv4'),
  )?.kind;
}
