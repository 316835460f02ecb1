import { publicError } from '#errors';
import { isNamed } from './headers.ts';

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
const hostForm = new RegExp(`^(${label}(?:\\.${label})*)\\.?(?::(\\d{1,5}))?$`);

/**
 * The canonical host of the one `Host` header. Case and a trailing dot are normalised, because browsers send both for
 * the same site; a name that is not ASCII, a missing or second header and a port that is not ours are refused.
 *
 * @throws {PublicError} `request_ambiguous`; `deployment_not_found` for a bare address, which is no deployment's host
 */
export function parseHost(rawHeaders: readonly string[], address: PublicAddress): RequestHost {
  let host: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!isNamed(rawHeaders[index], 'host')) continue;
    if (host !== undefined) throw ambiguous('Two Host headers were received. Expected one.');
    host = rawHeaders[index + 1];
  }
  if (host === undefined || host === '') throw ambiguous('No Host header was received. Expected one.');
  if (host.length > 262) throw ambiguous('The Host header is longer than a host name can be.');
  if (host.startsWith('[')) throw publicError('deployment_not_found');
  const match = hostForm.exec(host.toLowerCase());
  const name = match?.[1];
  if (name === undefined) {
    throw ambiguous('The Host header is not a host name in ASCII. International names are sent as punycode.');
  }
  if (name.length > 253) throw ambiguous('The Host header is longer than a host name can be.');
  const port = match?.[2];
  const standard = address.protocol === 'https:' ? '443' : '80';
  const expected = address.port === '' ? standard : address.port;
  // A front proxy may leave the port out; one that is there must be the one that browsers use.
  if (port !== undefined && Number(port) !== Number(expected)) {
    throw ambiguous(`The port ${Number(port)} was received in the Host header. Expected ${expected}.`);
  }
  const authority = expected === standard ? name : `${name}:${expected}`;
  return { name, authority, origin: `${address.protocol}//${authority}` };
}

function ambiguous(description: string) {
  return publicError('request_ambiguous', {
    description,
    mend: 'Use the exact address of the deployment.',
    headers: { connection: 'close' },
  });
}
