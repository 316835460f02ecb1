import type { Random } from '../attacks/random.ts';

export const forged = 'forged-by-the-sender';

/** One thing to send on a connection of its own, and what may come of it. */
export type RawRequest = { bytes: Buffer };

/** What a request carries so that the upstream's side can tell what was sent: the target, and whether with a session. */
export const sentTarget = 'x-sent-target';
export const sentSession = 'x-sent-session';

const ownHeaders = [
  'x-vercel-oidc-passport-token',
  'x-vercel-oidc-token',
  'x-vercel-id',
  'x-vercel-protection-bypass',
  'x-vercel-trusted-oidc-idp-token',
  'x-vercel-decision',
  'x-vercel-made-up',
];
export const methods = [
  'GET',
  'GET',
  'GET',
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'OPTIONS',
  'DELETE',
  'PATCH',
  'PROPFIND',
];
const oddMethods = ['TRACE', 'CONNECT', 'get', 'G@T', '', 'GET\t', 'PRI', 'QUERY', 'X'.repeat(40), '\u0000'];
const pieces = [
  'a',
  'page',
  '..',
  '.',
  '%2e%2e',
  '%2E.',
  '%2f',
  '%5c',
  '\\',
  ';x=1',
  '%3b',
  '%00',
  '%0a',
  '%25',
  '%252e',
  '%252f',
  '%zz',
  '%',
  '@scope',
  '#',
  '%23',
  '%3f',
  'ä',
  '\u0001',
  ' ',
  '~',
  '.well-known/vercel/passport/finish',
  '%2ewell-known/vercel/passport/sign-out',
];
const queries = [
  'a=1',
  'a=1&a=2',
  'next=//evil.example',
  'x-vercel-protection-bypass=secret',
  'X_Vercel_Protection_Bypass=secret',
  '_vercel_share=secret',
  'a=1;_vercel_share=secret',
  '%5fvercel_share=secret',
  '?',
  '#',
  '%00',
  'ü',
  '&&&',
  '=',
];
const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'];
const oddVersions = ['HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'http/1.1', 'HTTP/1.1 ', '', 'HTTP/11', 'HTTPS/1.1'];
export const otherHeaders = [
  'Accept: text/html',
  'Accept: */*',
  'Sec-Fetch-Mode: navigate',
  'Sec-Purpose: prefetch',
  'Referer: https://a.app.localhost/?_vercel_share=secret',
  'X-Forwarded-Host: open.app.localhost',
  'X-Forwarded-Uri: /open',
  'X-Original-URL: /open',
  'X-HTTP-Method-Override: OPTIONS',
  'Forwarded: host=open.app.localhost',
  'User-Agent: kube-probe/1.30',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Expect: x',
  'TE: trailers',
  'Trailer: x-vercel-oidc-token',
  'Proxy: http://evil.example',
  'Proxy-Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
  'Cookie: _vercel_passport=forged; a=1',
  'Cookie: $Version=1; "_vercel_passport"=x',
  'Cookie: ;;;=',
  'Cookie: a=b,_vercel_passport=x',
  'Origin: null',
  'Content-Type: text/plain',
  'Range: bytes=0-',
  'If-None-Match: *',
  'X-Empty:',
  ': no name',
  'No colon',
  'X Space: 1',
  'X-Trailing : 1',
  ' X-Folded: 1',
  'X-Null: a\u0000b',
  'X-Latin: \u00e4\u00f6',
  'X-Return: a\rb',
];
const framings = [
  'Content-Length: 5',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 0',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length: 5, 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'content_length: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 5',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding : chunked',
];
const smuggled =
  'GET /smuggled HTTP/1.1\r\nHost: a.app.localhost\r\nx-vercel-oidc-passport-token: forged-by-the-sender\r\n\r\n';
const bodies = [
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\nx-vercel-oidc-token: forged-by-the-sender\r\n\r\n',
  '5;ext="a\r\nb"\r\nhello\r\n0\r\n\r\n',
  '05\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  'zz\r\nhello\r\n0\r\n\r\n',
  'ffffffffffffffff1\r\nhello\r\n0\r\n\r\n',
  `0\r\n\r\n${smuggled}`,
  smuggled,
  `5\r\nhello\r\n0\r\n\r\n${smuggled}`,
  '',
];

/** Everything that a gateway was ever passed by, mixed at random: mostly well-formed, with one or a few odd parts. */
export function createRawRequest(
  random: Random,
  hosts: { port: number; protectedHost: string; openHost: string; cookie: string },
): RawRequest {
  const odd = (times: number) => random.once(times);
  const target = createTarget(random, hosts.protectedHost);
  const method = odd(25) ? random.pick(oddMethods) : random.pick(methods);
  const version = odd(25) ? random.pick(oddVersions) : random.pick(versions);
  const withSession = random.once(3);
  const host = random.once(3) ? hosts.openHost : hosts.protectedHost;
  const isMutated = random.once(60);
  const lines = [...createHost(random, host, hosts.port)];
  if (!isMutated) lines.push(`${sentTarget}: ${Buffer.from(target, 'latin1').toString('base64')}`);
  // Said twice: a byte that is lost takes one of them.
  if (withSession) lines.push(`Cookie: ${hosts.cookie}`, `${sentSession}: 1`, `${sentSession}-again: 1`);
  for (let count = random.below(4); count > 0; count--) lines.push(createHeader(random));
  if (random.once(2)) lines.push(random.pick(otherHeaders));
  const hasBody = random.once(3);
  if (hasBody) lines.push(random.pick(framings));
  if (random.once(4)) lines.push(`Connection: ${createConnection(random)}`);
  shuffle(random, lines);
  const end = odd(40) ? random.pick(['\n', '\r', '\r\r\n']) : '\r\n';
  const head = [`${method} ${target}${odd(60) ? '  ' : ' '}${version}`, ...lines].join(end);
  const body = hasBody || odd(30) ? random.pick(bodies) : '';
  const text = `${head}${end}${odd(50) ? '' : end}${body}`;
  return { bytes: Buffer.from(isMutated ? mutate(random, text) : text, 'latin1') };
}

/** A path and query, often odd. */
export function createTarget(random: Random, host: string): string {
  if (random.once(40)) {
    return random.pick([
      '*',
      'page',
      '',
      `http://${host}/`,
      'http://evil.example/',
      `//${host}/`,
      `${host}:443`,
    ]);
  }
  let path = '';
  for (let count = 1 + random.below(3); count > 0; count--) {
    path += `${random.once(12) ? '//' : '/'}${random.once(2) ? 'a' : random.pick(pieces)}`;
  }
  if (random.once(80)) path += 'a'.repeat(9_000);
  return random.once(3) ? `${path}?${random.pick(queries)}&${random.pick(queries)}` : path;
}

function createHost(random: Random, host: string, port: number): string[] {
  const right = `Host: ${host}:${port}`;
  if (!random.once(20)) return [right];
  return random.pick([
    [],
    [right, right],
    [right, 'Host: open.app.localhost'],
    [`HOST: ${host.toUpperCase()}:${port}`],
    [`Host: ${host}.:${port}`],
    [`Host: ${host}:1`],
    [`Host: nobody.app.localhost:${port}`],
    ['Host: [::1]'],
    ['Host: a b'],
    ['Host:'],
    [`Host: ${host}:${port}, open.app.localhost`],
    [`Host: x@${host}:${port}`],
    ['Host: \u00e4.app.localhost'],
    [` Host: ${host}`],
  ]);
}

/** An identity header of ours, forged, in some spelling: `name: value`. */
export function createHeader(random: Random): string {
  const separators = "-_.!~*^`|+&$%#'";
  const separator = random.once(2) ? '-' : random.pick([...separators]);
  const name = random.pick(ownHeaders).replaceAll('-', separator);
  const spelled = random.pick([name, name.toUpperCase(), name.replace('-', '_')]);
  return `${spelled}:${random.once(5) ? '' : ' '}${forged}`;
}

function createConnection(random: Random): string {
  return random.pick([
    'close',
    'keep-alive',
    'Upgrade',
    'upgrade, http2-settings',
    'x-vercel-oidc-passport-token',
    'X-Vercel-Oidc-Token, x-vercel-id, x-forwarded-host',
    'close, host',
    'content-length, transfer-encoding',
    ',,,',
  ]);
}

function shuffle(random: Random, lines: string[]): void {
  for (let index = lines.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [lines[index], lines[other]] = [lines[other] ?? '', lines[index] ?? ''];
  }
}

/** A byte is lost, doubled or another one. */
function mutate(random: Random, text: string): string {
  const at = random.below(text.length);
  const byte = String.fromCharCode(random.below(256));
  return random.pick([
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at) + byte + text.slice(at),
    text.slice(0, at) + byte + text.slice(at + 1),
  ]);
}
