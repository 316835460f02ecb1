import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export type AddressRules = {
  /** Says why an upstream's address must not be connected to, or undefined when it may. */
  findRefusal(address: string, port: number, teamSlug: string): string | undefined;
};

/** As in the configuration: ranges for every team, and ranges for single teams by slug. */
export type UpstreamAllow = {
  readonly all: readonly string[];
  readonly byTeam: ReadonlyMap<string, readonly string[]>;
};

/**
 * Which addresses deployments may have: those that the operator allowed for the team or for all. Never one of ours,
 * and never one that only machines of the same link or the cloud's own metadata service have, even if listed.
 */
export function createAddressRules(needs: {
  upstreamAllow: UpstreamAllow;
  /** The ports that this process listens at. */
  ownPorts(): readonly number[];
}): AddressRules {
  const forAll = rangesOf(needs.upstreamAllow.all);
  const forTeam = new Map([...needs.upstreamAllow.byTeam].map(([slug, ranges]) => [slug, rangesOf(ranges)]));

  return {
    findRefusal(spelled, port, teamSlug) {
      const address = plainAddress(spelled);
      const family = isIP(address);
      if (family === 0 || address.includes('%')) return 'not an address';
      const version = family === 6 ? 'ipv6' : 'ipv4';
      const loopback = isLoopback.check(address, version);
      if (!loopback && never.check(address, version)) return 'an address that no deployment may have';
      if (needs.ownPorts().includes(port) && (loopback || isOfThisMachine(address)))
        return 'this server itself';
      const allowed =
        forAll.check(address, version) || forTeam.get(teamSlug)?.check(address, version) === true;
      return allowed ? undefined : 'not in TESSERA_UPSTREAM_ALLOW';
    },
  };
}

const isLoopback = new BlockList();
isLoopback.addSubnet('127.0.0.0', 8, 'ipv4');
isLoopback.addAddress('::1', 'ipv6');

const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4');
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addAddress('168.63.129.16', 'ipv4');
never.addAddress('100.100.100.200', 'ipv4');
never.addSubnet('224.0.0.0', 3, 'ipv4');
never.addAddress('::', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');
// Forms that carry an IPv4 address inside: judged by nobody, so reached by nobody.
never.addSubnet('64:ff9b::', 32, 'ipv6');
never.addSubnet('2002::', 16, 'ipv6');
never.addSubnet('::', 96, 'ipv6');

/** `::ffff:127.0.0.1` is 127.0.0.1, in its dotted and in its hexadecimal form. */
function plainAddress(spelled: string): string {
  const address = spelled.replace(/^\[|\]$/g, '').toLowerCase();
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (hex === null) return address;
  const [high, low] = [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function isOfThisMachine(address: string): boolean {
  return Object.values(networkInterfaces()).some((entries) =>
    entries?.some((entry) => entry.address === address),
  );
}

function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
