import { networkInterfaces } from 'node:os';
import { createIpRangeTest, formatIpRange, parseIpRange } from '@tessera/protocol';

export type UpstreamAllow = {
  /** Addresses or CIDR ranges for every team. */
  readonly all: readonly string[];
  /** The same for single teams, by slug. */
  readonly byTeam: ReadonlyMap<string, readonly string[]>;
};

export type UpstreamAddresses = {
  /** Says why a team's upstream may not have an address, to follow "is"; undefined when it may. */
  findRefusal(address: string, port: number, teamSlug: string): string | undefined;
};

/**
 * Which addresses upstreams may have: those that the operator allowed for the team or for all. Never one of ours, and
 * never one that only machines of the same link or a cloud's own metadata service have, even if listed. One judgement
 * for the saving of a deployment and for each connect to it.
 */
export function createUpstreamAddresses(needs: {
  allow: UpstreamAllow;
  /** The ports that this process listens at. */
  ownPorts(): readonly number[];
}): UpstreamAddresses {
  const { all, byTeam } = needs.allow;
  const isAllowedToAll = createIpRangeTest(all);
  const isAllowedToTeam = new Map([...byTeam].map(([slug, ranges]) => [slug, createIpRangeTest(ranges)]));

  return {
    findRefusal(spelled, port, teamSlug) {
      const address = plainAddress(spelled);
      if (address === undefined) return 'not an address';
      const loopback = isLoopback(address);
      if (!loopback && isForbidden(address)) {
        return "an address that no deployment may have: of one link, of a cloud's own services, or of no machine";
      }
      if (needs.ownPorts().includes(port) && (loopback || isOfThisMachine(address))) {
        return 'this service itself';
      }
      if (isAllowedToAll(address) || isAllowedToTeam.get(teamSlug)?.(address) === true) return undefined;
      const ranges = [...all, ...(byTeam.get(teamSlug) ?? [])];
      return `not in the networks that this team may use (${ranges.join(', ') || 'none'})`;
    },
  };
}

const isLoopback = createIpRangeTest(['127.0.0.0/8', '::1']);

const isForbidden = createIpRangeTest([
  // This network, links, multicast and reserved (RFC 6890).
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  'fe80::/10',
  'ff00::/8',
  // Where clouds answer their machines, outside link-local: Azure, Alibaba, AWS and its EKS, Google, Oracle, Scaleway.
  '168.63.129.16',
  '100.100.100.200',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  // Forms that carry an IPv4 address inside: judged by nobody, so reached by nobody. `::ffff:10.0.0.1` is 10.0.0.1.
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/32',
  '2001::/32',
  '2002::/16',
]);

/** The one spelling of an address, in or out of brackets: `[::ffff:7f00:1]` is 127.0.0.1. */
function plainAddress(spelled: string): string | undefined {
  const range = spelled.includes('/') ? undefined : parseIpRange(spelled.replace(/^\[|\]$/g, ''));
  return range && formatIpRange(range);
}

function isOfThisMachine(address: string): boolean {
  return Object.values(networkInterfaces()).some((entries) =>
    entries?.some((entry) => plainAddress(entry.address) === address),
  );
}
