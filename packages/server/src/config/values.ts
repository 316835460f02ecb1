import { isIP } from 'node:net';
import { parseIpRange } from '@tessera/protocol';
import type { ConfigName } from './names.ts';

/** A value of the environment that cannot be used, in words for the list of problems. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
}

/** Reads one value by its name; a problem is noted, and the fallback lets the reading go on. */
export type Read = <Value>(name: ConfigName, parse: (text: string) => Value, fallback: Value) => Value;

/** An absolute http or https URL without credentials, query, fragment or trailing slash. */
export function parseBaseUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidValue(`'${text}' is not a URL; expected something like https://id.example.com`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new InvalidValue(`'${text}' has the scheme ${url.protocol}; expected https:`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new InvalidValue('a base URL has no credentials, no query and no fragment');
  }
  if (url.protocol === 'http:' && !isDevelopmentHost(url.hostname)) {
    throw new InvalidValue(
      `'${text}' is plain http; expected https, since tokens would travel in the clear (http is for loopback and .localhost)`,
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** Loopback addresses and names below `localhost` (RFC 6761): a developer's machine. */
export function isDevelopmentHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    (isIP(hostname) === 4 && hostname.startsWith('127.'))
  );
}

/** `host:port`, `[::1]:port` or a port alone; port 0 lets the system choose. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(?<host>\[[0-9a-fA-F:]+\]|[^:[\]]*):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535)
    throw new InvalidValue(`'${text}' is not host:port, such as 127.0.0.1:4000`);
  return { host: (match.groups?.['host'] ?? '').replaceAll(/[[\]]/g, '') || '127.0.0.1', port };
}

/** The longest path of a socket that every system takes (sun_path, with its end). */
const longestSocketPath = 103;

/** `unix:/run/tessera/workload.sock` or a port of loopback: never where another machine can reach it. */
export function parseWorkloadListen(text: string): {
  host: string;
  port: number;
  socketPath: string | undefined;
} {
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length);
    if (!socketPath.startsWith('/') || Buffer.byteLength(socketPath) > longestSocketPath) {
      throw new InvalidValue(
        `'${text}' is not unix: and an absolute path of at most ${longestSocketPath} bytes, such as unix:/run/tessera/workload.sock`,
      );
    }
    return { host: 'localhost', port: 0, socketPath };
  }
  const { host, port } = parseListen(text);
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!loopback || port === 0) {
    throw new InvalidValue(
      `'${text}' is not on this machine alone; expected unix:/PATH or 127.0.0.1:PORT, with a port from 1`,
    );
  }
  return { host, port, socketPath: undefined };
}

/** A domain of at least one dot (or below `localhost`), without scheme, port or wildcard. */
export function parseDomain(text: string): string {
  const domain = text.toLowerCase().replace(/^\*\./, '');
  if (
    !/^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(
      domain,
    )
  ) {
    throw new InvalidValue(`'${text}' is not a domain, such as example.app`);
  }
  return domain;
}

/** `10.0.0.0/8, ::1`: addresses and ranges. */
export function parseRanges(text: string): string[] {
  return parseList(text).map((range) => {
    if (parseIpRange(range) === undefined) {
      throw new InvalidValue(`'${range}' is not an address or a CIDR range, such as 10.0.0.0/8`);
    }
    return range;
  });
}

/** `192.0.2.53, 192.0.2.54:5353, [2001:db8::53]:5353`: name servers by address, with a port where it is not 53. */
export function parseDnsServers(text: string): string[] {
  return parseList(text).map((server) => {
    const { six, four, port } =
      /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<four>[\d.]+))(?::(?<port>\d{1,5}))?$/i.exec(server)?.groups ?? {};
    const isAddress = isIP(server) !== 0 || isIP(six ?? '') === 6 || isIP(four ?? '') === 4;
    if (!isAddress || (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535))) {
      throw new InvalidValue(
        `'${server}' is not the address of a name server, such as 192.0.2.53 or [2001:db8::53]:5353`,
      );
    }
    return server;
  });
}

export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** One of the words. */
export function parseWord<Word extends string>(text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new InvalidValue(`'${text}' is none of ${words.join(', ')}`);
  return found;
}

/** A whole number within limits. */
export function parseNumber(text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new InvalidValue(`'${text}' is not a whole number from ${least} to ${most}`);
  }
  return number;
}

/** A proxy of somebody's own in front of deployments, and the hosts that it may ask about. */
export type FrontProxy = {
  name: string;
  credential: string;
  /** Lower case; `*.example.app` is every host below. */
  hosts: string[];
};

/** `edge:CREDENTIAL=docs.example.app *.preview.example.app, other:…`. Never repeats a credential. */
export function parseFrontProxies(text: string): FrontProxy[] {
  const proxies = parseList(text).map((item, index) => {
    const parts = /^(?<name>[a-z0-9][a-z0-9-]{0,31}):(?<credential>[\w-]{32,256})=(?<hosts>.+)$/.exec(
      item,
    )?.groups;
    if (parts === undefined) {
      throw new InvalidValue(
        `has another form in its part ${index + 1}: expected NAME:CREDENTIAL=HOST HOST, the name of a-z, 0-9 and -, ` +
          'the credential 32 to 256 of A-Z a-z 0-9 _ - (openssl rand -hex 32)',
      );
    }
    const { name = '', credential = '', hosts = '' } = parts;
    return {
      name,
      credential,
      hosts: hosts
        .trim()
        .split(/\s+/)
        .map((host) => parseHostPattern(name, host)),
    };
  });
  for (const key of ['name', 'credential'] as const) {
    if (new Set(proxies.map((proxy) => proxy[key])).size < proxies.length) {
      throw new InvalidValue(`gives one ${key} to two proxies; each needs its own`);
    }
  }
  return proxies;
}

function parseHostPattern(name: string, text: string): string {
  const host = text.toLowerCase();
  // Every host of everybody is never what somebody means: `*` stands before a domain.
  if (
    !/^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)+$/.test(
      host,
    )
  ) {
    throw new InvalidValue(
      `binds ${name} to '${text}', which is not a host such as docs.example.app or *.example.app`,
    );
  }
  return host;
}
