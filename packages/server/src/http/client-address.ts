import { isIP, isIPv4 } from 'node:net';
import { createIpRangeTest } from '@tessera/protocol';

/**
 * The client's address. `X-Forwarded-For` is read from the right, as far as the proxies are ours: what stands further
 * left was written by whoever sent the request. Without the header it is the proxy's machine itself that asks. What a
 * proxy of ours wrote and nobody can read is nobody's address: '', which lies in no range, and is not the proxy's.
 */
export function createClientAddress(trustProxy: readonly string[]) {
  const isTrusted = createIpRangeTest(trustProxy);

  return (socketAddress: string | undefined, forwardedFor: string | undefined): string => {
    let address = addressIn(socketAddress ?? '');
    if (forwardedFor === undefined) return address;
    const hops = forwardedFor.split(',');
    while (address !== '' && isTrusted(address)) {
      const next = hops.pop();
      if (next === undefined) break;
      address = addressIn(next.trim());
    }
    return address;
  };
}

/**
 * The address in what a socket or a proxy says, which may have its port (`192.0.2.7:4711`, `[2001:db8::1]:4711`); ''
 * when there is none. An IPv4 address is the same whether or not the socket speaks IPv6.
 */
function addressIn(text: string): string {
  if (isIPv4(text)) return text;
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const isMapped = bare.toLowerCase().startsWith('::ffff:') && isIP(bare.slice(7)) === 4;
  const address = isMapped ? bare.slice(7) : bare;
  return isIP(address) === 0 ? '' : address;
}
