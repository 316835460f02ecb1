import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import { buildConnector } from 'undici';
import { isLocalhost, localhostAddresses, portOf, type UpstreamAddresses } from '#deployments';

/** Resolves a host name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

/** An upstream's address is one that deployments may not have. The reason is for the operator's log. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed';
}

/** Connects to upstreams, each of its connections to an address that was judged for it. */
export type Connector = (origin: string, teamSlug: string) => buildConnector.connector;

/** The name is resolved once a connect, every address is judged, and the socket connects to those and no other. */
export function createConnector(needs: {
  addresses: Pick<UpstreamAddresses, 'findRefusal'>;
  resolve?: Resolve;
  timeoutMilliseconds: number;
}): Connector {
  const resolve = needs.resolve ?? ((hostname) => systemLookup(hostname, { all: true, verbatim: true }));

  function lookupFor(port: number, teamSlug: string): LookupFunction {
    const answer = async (hostname: string) => {
      if (isLocalhost(hostname)) return judged(localhostAddresses, port, teamSlug);
      const addresses = await resolve(hostname);
      if (addresses.length === 0) throw Object.assign(new Error('no addresses'), { code: 'ENOTFOUND' });
      return judged(addresses, port, teamSlug);
    };
    return (hostname, options, callback) => {
      callbackify(answer)(hostname, (error, addresses) => {
        if (error) callback(error, []);
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
      });
    };
  }

  /** One refused address among good ones refuses all: which of them the socket takes is not ours to say. */
  function judged<Address extends { address: string; family: number }>(
    addresses: readonly Address[],
    port: number,
    teamSlug: string,
  ): readonly Address[] {
    for (const { address } of addresses) {
      const refusal = needs.addresses.findRefusal(address, port, teamSlug);
      if (refusal !== undefined) throw new AddressNotAllowed(`${address} port ${port}: ${refusal}`);
    }
    return addresses;
  }

  return (origin, teamSlug) => {
    const url = new URL(origin);
    const port = portOf(url);
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    const isLiteral = isIP(literal) !== 0;
    const connect = buildConnector({
      lookup: lookupFor(port, teamSlug),
      timeout: needs.timeoutMilliseconds,
      allowH2: false,
    });
    return (options, callback) => {
      // A literal address never reaches the lookup.
      if (isLiteral) {
        try {
          judged([{ address: literal, family: isIP(literal) }], port, teamSlug);
        } catch (error) {
          callback(error as Error, null);
          return;
        }
      }
      connect({ ...options, hostname: isLiteral ? literal : options.hostname }, callback);
    };
  };
}
