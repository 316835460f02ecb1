import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Agent, buildConnector, request } from 'undici';
import { findRefusal } from './addresses.ts';
import { FetchFailure } from './failure.ts';

/** Resolves a host name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

export type GuardedFetchOptions = {
  method?: string;
  headers?: Headers | Readonly<Record<string, string>>;
  body?: string | URLSearchParams | Uint8Array | null | undefined;
  signal?: AbortSignal | null | undefined;
};

/** Compatible with the part of `fetch` that jose and oauth4webapi use as their custom fetch. */
export type GuardedFetch = ((url: string | URL, options?: GuardedFetchOptions) => Promise<Response>) & {
  /** Throws `FetchFailure` for a URL that would be refused whatever its name resolves to. */
  validate(url: string | URL): URL;
  close(): Promise<void>;
};

/**
 * Makes the guarded fetcher: https only, no redirects, every resolved address checked and the checked ones connected
 * to (so a second, different DNS answer changes nothing), a time and a size limit over all of it.
 *
 * `allowPrivateHosts`: `host` or `host:port`, the hosts that may be private and may be plain http; exact names,
 * no wildcards. Names under `localhost` are then mapped to loopback here, since not every resolver does.
 *
 * @throws FetchFailure for whatever keeps a complete answer from coming
 */
export function createGuardedFetch(needs: {
  allowPrivateHosts: readonly string[];
  resolve?: Resolve;
  timeoutMilliseconds?: number;
  maximumBytes?: number;
}): GuardedFetch {
  const timeoutMilliseconds = needs.timeoutMilliseconds ?? 5_000;
  const maximumBytes = needs.maximumBytes ?? 256 * 1024;
  const resolve = needs.resolve ?? ((hostname) => systemLookup(hostname, { all: true, verbatim: true }));
  const allowed = new Set(needs.allowPrivateHosts.map((host) => host.toLowerCase()));
  const mayBePrivate = (hostname: string, port: string) =>
    allowed.has(hostname.toLowerCase()) || allowed.has(`${hostname.toLowerCase()}:${port}`);

  const connectors = {
    guarded: buildConnector({
      lookup: lookupOf(resolve, false),
      timeout: timeoutMilliseconds,
      allowH2: false,
    }),
    open: buildConnector({ lookup: lookupOf(resolve, true), timeout: timeoutMilliseconds, allowH2: false }),
  };
  const agent = new Agent({
    connect: (options, callback) => {
      const port = options.port || (options.protocol === 'https:' ? '443' : '80');
      const open = mayBePrivate(options.hostname, port);
      // A literal address never reaches the lookup, so it is judged here as well as before the request.
      if (!open && isIP(bareAddress(options.hostname)) && findRefusal(options.hostname) !== undefined) {
        callback(addressFailure(options.hostname), null);
        return;
      }
      (open ? connectors.open : connectors.guarded)(options, callback);
    },
    keepAliveTimeout: 4_000,
    maxHeaderSize: 16 * 1024,
    allowH2: false,
  });

  function validate(input: string | URL): URL {
    const url = URL.parse(String(input));
    if (!url) {
      throw new FetchFailure('url', {
        received: 'something that is not a URL',
        expected: 'an absolute https URL',
        mend: 'Give the whole URL, beginning with https://.',
      });
    }
    const open = mayBePrivate(url.hostname, portOf(url));
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && open)) {
      throw new FetchFailure('scheme', {
        received: `${url.protocol}// for ${url.host}`,
        expected: 'https',
        mend: 'Use https. A host of your own network may use http once the operator lists it in TESSERA_ALLOW_PRIVATE_HOSTS.',
      });
    }
    if (url.username || url.password) {
      throw new FetchFailure('url', {
        received: `a URL with a user name or password for ${url.host}`,
        expected: 'a URL without credentials',
        mend: 'Take the credentials out of the URL.',
      });
    }
    if (!open && isIP(bareAddress(url.hostname)) && findRefusal(url.hostname) !== undefined) {
      throw addressFailure(url.hostname);
    }
    return url;
  }

  async function guardedFetch(input: string | URL, options: GuardedFetchOptions = {}): Promise<Response> {
    const url = validate(input);
    const deadline = AbortSignal.timeout(timeoutMilliseconds);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    try {
      const headers: Record<string, string> = { 'accept-encoding': 'gzip, br' };
      const given = options.headers ?? {};
      for (const [name, value] of given instanceof Headers ? given : Object.entries(given)) {
        headers[name.toLowerCase()] = value;
      }
      let body = options.body ?? null;
      if (body instanceof URLSearchParams) {
        headers['content-type'] ??= 'application/x-www-form-urlencoded;charset=UTF-8';
        body = body.toString();
      }
      const answer = await request(url, {
        dispatcher: agent,
        // The registry of methods is open, undici's type is not.
        method: (options.method ?? 'GET') as 'GET',
        headers,
        body,
        signal,
      });
      if (answer.statusCode >= 300 && answer.statusCode < 400) {
        drop(answer.body);
        throw new FetchFailure('redirect', {
          received: `a redirect (${answer.statusCode}) from ${url.host}`,
          expected: 'an answer without redirects',
          mend: 'Give the address that the redirect leads to.',
        });
      }
      const bytes = await readAll(answer.body, String(answer.headers['content-encoding'] ?? ''), url);
      return toResponse(answer.statusCode, answer.headers, bytes);
    } catch (error) {
      throw toFailure(error, url, deadline, options.signal);
    }
  }

  async function readAll(source: Readable, encoding: string, url: URL): Promise<Uint8Array<ArrayBuffer>> {
    const decoder = decoderOf(encoding);
    if (decoder === 'unknown') {
      drop(source);
      throw new FetchFailure('encoding', {
        received: `an answer of ${url.host} in a content encoding that was not asked for`,
        expected: 'gzip, br or none',
        mend: 'Let the server honour Accept-Encoding.',
      });
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    if (decoder) source.on('error', (error) => decoder.destroy(error));
    for await (const chunk of decoder ? source.pipe(decoder) : source) {
      const bytes = chunk as Uint8Array;
      length += bytes.byteLength;
      // Leaving the loop destroys the stream, and with it the connection: the rest is never read.
      if (length > maximumBytes) {
        drop(source);
        throw new FetchFailure('too_large', {
          received: `more than ${maximumBytes} bytes from ${url.host}`,
          expected: `at most ${maximumBytes} bytes`,
          mend: 'Check that the URL names a document of the identity provider and not something larger.',
        });
      }
      chunks.push(bytes);
    }
    return new Uint8Array(Buffer.concat(chunks, length));
  }

  return Object.assign(guardedFetch, { validate, close: () => agent.destroy() });
}

/** Resolves once and hands the checked addresses to the socket, which connects to nothing else. */
function lookupOf(resolve: Resolve, open: boolean): LookupFunction {
  return (hostname, options, callback) => {
    const answer = async () => {
      if (open && (hostname === 'localhost' || hostname.endsWith('.localhost'))) {
        return [
          { address: '127.0.0.1', family: 4 },
          { address: '::1', family: 6 },
        ];
      }
      const addresses = await resolve(hostname);
      if (addresses.length === 0) throw Object.assign(new Error('no addresses'), { code: 'ENOTFOUND' });
      // One refused address among good ones is refused too: which of them the socket takes is not ours to say.
      if (!open && addresses.some(({ address }) => findRefusal(address) !== undefined))
        throw addressFailure(hostname);
      return addresses.map(({ address, family }) => ({ address, family }));
    };
    callbackify(answer)((error, addresses) => {
      if (error) callback(error, []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };
}

/** What Node calls a handshake that failed: OpenSSL's verification errors, its library errors, and the name check. */
const tlsCodes =
  /^(?:CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_|EPROTO)/;

function addressFailure(hostname: string): FetchFailure {
  return new FetchFailure('address', {
    received: `${hostname}, which is or resolves to an address of a private or special network`,
    expected: 'a public address',
    mend: 'Use a public host, or let the operator list this host in TESSERA_ALLOW_PRIVATE_HOSTS.',
  });
}

function toFailure(
  error: unknown,
  url: URL,
  deadline: AbortSignal,
  given: AbortSignal | null | undefined,
): unknown {
  if (error instanceof FetchFailure) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (deadline.aborted || code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new FetchFailure(
      'timeout',
      {
        received: `no complete answer of ${url.host} in time`,
        expected: 'an answer within 5 seconds',
        mend: 'Try again; if it stays, check that the identity provider is up and reachable from this server.',
      },
      error,
    );
  }
  if (given?.aborted) return error;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') {
    return new FetchFailure(
      'unresolvable',
      {
        received: `${url.hostname}, which does not resolve`,
        expected: 'a host name that exists',
        mend: 'Check the spelling of the host.',
      },
      error,
    );
  }
  if (tlsCodes.test(code)) {
    const words =
      code === 'ERR_SSL_WRONG_VERSION_NUMBER'
        ? {
            received: `${url.host}, which answers with something else than TLS`,
            expected: 'https at this port',
            mend: 'Check the port: what answers there speaks plain http, or no HTTP at all.',
          }
        : {
            received: `${url.host} with a certificate or TLS that cannot be trusted (${code})`,
            expected: 'TLS 1.2 or newer with a certificate for this host by a known authority',
            mend: 'Let the host send its whole certificate chain, in date and for this name; a private authority is given to this server by NODE_EXTRA_CA_CERTS.',
          };
    return new FetchFailure('tls', words, error);
  }
  const facts = /^[A-Z_0-9]{1,40}$/.test(code) ? ` (${code})` : '';
  return new FetchFailure(
    'unreachable',
    {
      received: `no answer of ${url.host}${facts}`,
      expected: 'an HTTP answer',
      mend: 'Check that the host is up, that its port is right and that its certificate is valid.',
    },
    error,
  );
}

function toResponse(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  bytes: Uint8Array<ArrayBuffer>,
): Response {
  const kept = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // The body is decoded and whole by now: what described its way here would be untrue.
    if (value === undefined || name === 'content-encoding' || name === 'content-length') continue;
    for (const one of Array.isArray(value) ? value : [value]) kept.append(name, one);
  }
  const empty = status === 204 || status === 205 || bytes.byteLength === 0;
  return new Response(empty ? null : bytes, { status, headers: kept });
}

/** Closes the connection under an answer that nobody will read. */
function drop(body: Readable): void {
  body.on('error', () => undefined).destroy();
}

function decoderOf(encoding: string) {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return 'unknown';
  }
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

function bareAddress(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
