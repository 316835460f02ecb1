import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { SendCheck } from './check-gateway.ts';

const limitMilliseconds = 15_000;

/**
 * Sends over the network. The certificate is not judged: the question is what the proxy lets pass, and it may be asked
 * by an address of its own. `connectTo` is an address to connect to in place of the host's.
 */
export function createSendCheck({ connectTo }: { connectTo?: string } = {}): SendCheck {
  return ({ url, host, headers }) =>
    new Promise((resolve, reject) => {
      const target = new URL(url);
      const authority = host ?? target.host;
      const secure = target.protocol === 'https:';
      const name = authority.replace(/:\d+$/, '');
      const request = (secure ? requestHttps : requestHttp)(
        {
          host: connectTo ?? placeOf(target.hostname),
          port: target.port === '' ? (secure ? 443 : 80) : Number(target.port),
          path: `${target.pathname}${target.search}`,
          headers: ['host', authority, ...headers.flat()],
          timeout: limitMilliseconds,
          agent: false,
          // An address is no server name (RFC 6066, section 3).
          ...(secure ? { servername: isIP(bare(name)) === 0 ? name : '', rejectUnauthorized: false } : {}),
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text = (text + chunk).slice(0, 1_000_000);
          });
          response.once('error', reject);
          response.once('end', () => {
            const named = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
            resolve({
              status: response.statusCode ?? 0,
              headers: Object.fromEntries(named) as Record<string, string>,
              text,
            });
          });
        },
      );
      request.once('timeout', () =>
        request.destroy(new Error(`nothing came within ${limitMilliseconds / 1000} s`)),
      );
      request.once('error', reject);
      request.end();
    });
}

/** Names below `localhost` are this machine (RFC 6761, section 6.3), which not every system's resolver knows. */
function placeOf(hostname: string): string {
  return hostname.endsWith('.localhost') ? 'localhost' : bare(hostname);
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
