import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { callbackify } from 'node:util';
import { buildConnector } from 'undici';
import type { AddressRules } from './addresses.ts';

/** Resolves a host name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

/** An upstream's address is one that deployments may not have. The reason is for the operator's log. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed';
}

export type Connector = {
  /** For undici's `Pool`: checks the address at each connect. */
  forPool(teamSlug: string): buildConnector.connector;
  /** A connected socket for an upgrade. */
  connect(upstream: URL, teamSlug: string): Promise<Socket>;
};

/** The name is resolved once a connect, every address is judged, and the socket connects to those and no other. */
export function createConnector(needs: {
  rules: AddressRules;
  resolve?: Resolve;
  timeoutMilliseconds: number;
}): Connector {
  const resolve = needs.resolve ?? ((hostname) => systemLookup(hostname, { all: true, verbatim: true }));

  function lookupFor(port: number, teamSlug: string): LookupFunction {
    const answer = async (hostname: string) => {
      if (hostname === 'localhost' || hostname.endsWith('.localhost')) {
        return judged(
          [
            { address: '127.0.0.1', family: 4 },
            { address: '::1', family: 6 },
          ],
          port,
          teamSlug,
        );
      }
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
      const refusal = needs.rules.findRefusal(address, port, teamSlug);
      if (refusal !== undefined) throw new AddressNotAllowed(`${address} port ${port}: ${refusal}`);
    }
    return addresses;
  }

  function forPool(teamSlug: string): buildConnector.connector {
    const connectors = new Map<number, buildConnector.connector>();
    return (options, callback) => {
      const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
      let connector = connectors.get(port);
      if (connector === undefined) {
        connector = buildConnector({
          lookup: lookupFor(port, teamSlug),
          timeout: needs.timeoutMilliseconds,
          allowH2: false,
        });
        connectors.set(port, connector);
      }
      // A literal address never reaches the lookup.
      const literal = options.hostname.replace(/^\[|\]$/g, '');
      if (isIP(literal) !== 0) {
        try {
          judged([{ address: literal, family: isIP(literal) }], port, teamSlug);
        } catch (error) {
          callback(error as Error, null);
          return;
        }
      }
      connector({ ...options, hostname: isIP(literal) === 0 ? options.hostname : literal }, callback);
    };
  }

  return {
    forPool,
    connect: (upstream, teamSlug) =>
      new Promise((resolveSocket, reject) => {
        const { protocol, hostname, host, port } = upstream;
        forPool(teamSlug)(
          { protocol, hostname, host, port, ...(protocol === 'https:' ? { servername: hostname } : {}) },
          (error, socket) => {
            if (error !== null) reject(error);
            else resolveSocket(socket);
          },
        );
      }),
  };
}
