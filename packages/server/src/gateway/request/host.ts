import { publicError } from '#errors';
import { isNamed } from './header-list.ts';
import { createMemo } from './memo.ts';

/** How browsers reach deployments; from configuration alone. `port` is '' for the protocol's own. */
export type PublicAddress = { readonly protocol: 'http:' | 'https:'; readonly port: string };

/** The host that a request is for, in its one canonical form. */
export type RequestHost = {
  /** Lower case, without port and without a trailing dot: the key of a deployment's host. */
  readonly name: string;
  /** Name and port as they stand in the address bar. */
  readonly authority: string;
  /** `https://name[:port]`: what every link to this host begins with. */
  readonly origin: string;
};

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const nameForm = new RegExp(`^${label}(?:\\.${label})*$`);
const longestName = 253;
const longestHost = longestName + '.:65535'.length;

export type ReadHost = (rawHeaders: readonly string[]) => RequestHost;

/**
 * Reads the canonical host of the one `Host` header. Case and a trailing dot are normalised, because browsers send both
 * for the same site; a name that is not ASCII, a missing or second header and a port that is not ours are refused.
 *
 * What it makes throws {PublicError} `request_ambiguous`; `deployment_not_found` for a bare address, which is no
 * deployment's host
 */
export function createHostReader(address: PublicAddress): ReadHost {
  const { port, hasOwnPort } = portOf(address);
  const suffix = hasOwnPort ? `:${port}` : '';
  const hostOf = (name: string): RequestHost => ({
    name,
    authority: name + suffix,
    origin: `${address.protocol}//${name}${suffix}`,
  });

  /** As browsers send it; what is spelled otherwise is taken apart. */
  const plainHostOf = createMemo((host) => {
    const name = hasOwnPort && host.endsWith(suffix) ? host.slice(0, -suffix.length) : host;
    return name.length <= longestName && nameForm.test(name) ? hostOf(name) : undefined;
  });

  return (rawHeaders) => {
    const host = theOneHost(rawHeaders);
    const plain = plainHostOf(host);
    if (plain !== undefined) return plain;

    if (host.length > longestHost) {
      throw ambiguous('The Host header is longer than a host name can be.');
    }
    if (host.startsWith('[')) throw publicError('deployment_not_found');
    const [, spelled = '', sentPort] = /^(.*?)\.?(?::(\d{1,5}))?$/.exec(host.toLowerCase()) ?? [];
    if (!nameForm.test(spelled)) {
      throw ambiguous(
        'The Host header is not a host name in ASCII. International names are sent as punycode.',
      );
    }
    if (spelled.length > longestName) throw ambiguous('The Host header is longer than a host name can be.');
    // A front proxy may leave the port out; one that is there must be the one that browsers use.
    if (sentPort !== undefined && Number(sentPort) !== Number(port)) {
      throw ambiguous(`The port ${Number(sentPort)} was received in the Host header. Expected ${port}.`);
    }
    return hostOf(spelled);
  };
}

/** The port that browsers use, and whether it stands in the address bar. */
export function portOf({ protocol, port }: PublicAddress): { port: string; hasOwnPort: boolean } {
  const standard = protocol === 'https:' ? '443' : '80';
  return port === '' || port === standard
    ? { port: standard, hasOwnPort: false }
    : { port, hasOwnPort: true };
}

function theOneHost(rawHeaders: readonly string[]): string {
  let host: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!isNamed(rawHeaders[index], 'host')) continue;
    if (host !== undefined) throw ambiguous('Two Host headers were received. Expected one.');
    host = rawHeaders[index + 1];
  }
  if (host === undefined || host === '') throw ambiguous('No Host header was received. Expected one.');
  return host;
}

function ambiguous(description: string) {
  return publicError('request_ambiguous', {
    description,
    mend: 'Use the exact address of the deployment.',
    headers: { connection: 'close' },
  });
}
