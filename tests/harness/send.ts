import { Agent, request as requestHttp } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';

export type Sending = {
  method?: string;
  /** An object, or a flat list of names and values where spelling, order and repetition matter. */
  headers?: Readonly<Record<string, string>> | readonly string[];
  body?: string | Uint8Array;
  /** Another port of loopback to connect to: one of several processes that serve the same address. */
  port?: number;
  timeoutMilliseconds?: number;
};

export type Answer = {
  url: URL;
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Parses the body; fails with the body in the message when it is not JSON. */
  json(): unknown;
  /** The address that a redirect leads to. */
  location(): URL;
};

/** `*.localhost` is this machine, whatever its resolver says (RFC 6761 section 6.3). */
const lookupLoopback: LookupFunction = (_host, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};
const agent = new Agent({ keepAlive: true, maxSockets: 200, lookup: lookupLoopback });
/** Certificates in tests sign themselves. */
const secureAgent = new SecureAgent({
  keepAlive: true,
  maxSockets: 200,
  lookup: lookupLoopback,
  rejectUnauthorized: false,
});

/** Sends one request to loopback, whatever the host's name is, and reads the whole answer. It follows no redirect. */
export async function send(url: string | URL, sending: Sending = {}): Promise<Answer> {
  const target = new URL(url);
  const { method = 'GET', headers = {}, body, port, timeoutMilliseconds = 20_000 } = sending;
  return new Promise<Answer>((resolve, reject) => {
    const secure = target.protocol === 'https:';
    const request = (secure ? requestHttps : requestHttp)(
      target,
      {
        method,
        agent: secure ? secureAgent : agent,
        headers: withHost(headers, target, body),
        timeout: timeoutMilliseconds,
        ...(port === undefined ? {} : { port }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          resolve(answerOf(target, response.statusCode ?? 0, response.headers, Buffer.concat(chunks)));
        });
      },
    );
    request.once('timeout', () =>
      request.destroy(new Error(`${method} ${target.href} did not answer in time`)),
    );
    request.once('error', (error) => {
      // The server closed a resting connection in the moment in which it was used again: nothing was read of this.
      if (request.reusedSocket && 'code' in error && error.code === 'ECONNRESET') {
        resolve(send(url, sending));
      } else {
        reject(error);
      }
    });
    request.end(body);
  });
}

/** Sends `application/x-www-form-urlencoded`, as OAuth endpoints want it. */
export function sendForm(
  url: string | URL,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
  port?: number,
): Promise<Answer> {
  return send(url, {
    ...(port === undefined ? {} : { port }),
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

function answerOf(url: URL, status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  const text = body.toString();
  return {
    url,
    status,
    headers,
    text,
    json() {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new Error(`${status} of ${url.href} is not JSON: ${text.slice(0, 500)}`);
      }
    },
    location() {
      if (headers.location === undefined) {
        throw new Error(`${status} of ${url.href} leads nowhere: ${text.slice(0, 500)}`);
      }
      return new URL(headers.location, url);
    },
  };
}

/** A list of headers is sent as it is, so what Node would have added has to be in it. */
function withHost(
  headers: NonNullable<Sending['headers']>,
  target: URL,
  body: Sending['body'],
): Record<string, string> | string[] {
  const length = body === undefined ? undefined : String(Buffer.byteLength(body));
  if (!isList(headers)) {
    return { host: target.host, ...headers, ...(length === undefined ? {} : { 'content-length': length }) };
  }
  const list = [...headers];
  const has = (name: string): boolean =>
    list.some((each, index) => index % 2 === 0 && each.toLowerCase() === name);
  if (!has('host')) list.push('Host', target.host);
  if (length !== undefined && !has('content-length') && !has('transfer-encoding')) {
    list.push('Content-Length', length);
  }
  return list;
}

function isList(headers: NonNullable<Sending['headers']>): headers is readonly string[] {
  return Array.isArray(headers);
}
