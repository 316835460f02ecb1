import type { Random } from '../attacks/random.ts';
import { encodeHeaders, flags, frame, frameTypes, plainSettings, preface } from './http2-frames.ts';
import {
  createHeader,
  createTarget,
  forged,
  methods,
  otherHeaders,
  sentSession,
  sentTarget,
} from './raw-requests.ts';

export type Http2Hosts = { protectedHost: string; openHost: string; cookie: string };

/** What goes onto one connection, and the streams that have to be answered if the connection goes on. */
export type Http2Exchange = { bytes: Buffer; streams: number[]; isSound: boolean };

type Field = readonly [name: string, value: string];

const oddNames = [
  'X-Upper',
  '',
  ' x',
  'x y',
  'x\r\ny',
  'x\u0000',
  'x:y',
  ':made-up',
  ':status',
  ':protocol',
  'x\u00e4',
  'x-vercel-id\n',
];
const oddValues = [
  'a\r\nx-vercel-oidc-passport-token: forged-by-the-sender',
  'a\u0000b',
  'a\nb',
  ' a ',
  '\t',
  '\u00e4\u00f6',
  'a'.repeat(20_000),
];
/** Of one connection of HTTP/1, and so of none here (RFC 9113 section 8.2.2). */
const ofHttp1: readonly Field[] = [
  ['connection', 'close'],
  ['connection', 'x-vercel-oidc-passport-token'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['transfer-encoding', 'chunked'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['te', 'gzip'],
  ['te', 'trailers'],
  ['http2-settings', 'AAMAAABkAAQAoAAAAAIAAAAA'],
];
const oddAuthorities = [
  '',
  'nobody.app.localhost',
  'open.app.localhost:1',
  'x@a.app.localhost',
  'a b',
  '[::1]',
];
const smuggled =
  '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.app.localhost\r\nx-vercel-oidc-passport-token: forged-by-the-sender\r\n\r\n';

/** Everything that HTTP/2 can be made to say: mostly well-formed, with one or a few odd parts. */
export function createHttp2Exchange(random: Random, hosts: Http2Hosts): Http2Exchange {
  const parts: Buffer[] = [preface, plainSettings];
  const streams: number[] = [];
  const isMutated = random.once(40);
  let isSound = !isMutated;
  let stream = 1;
  for (let count = 1 + random.below(3); count > 0; count--) {
    if (random.once(12)) {
      parts.push(createOddFrame(random, stream));
      isSound = false;
    }
    parts.push(...createRequest(random, hosts, stream, isMutated));
    streams.push(stream);
    stream += 2;
  }
  const bytes = Buffer.concat(parts);
  return { bytes: isMutated ? mutate(random, bytes) : bytes, streams, isSound };
}

function createRequest(random: Random, hosts: Http2Hosts, stream: number, isMutated: boolean): Buffer[] {
  const hasBody = random.once(3);
  const block = encodeHeaders(createFields(random, hosts, hasBody, isMutated));
  const frames = createHeaderFrames(random, stream, block, !hasBody);
  if (!hasBody) return frames;
  const body = random.pick(['hello', '', 'a'.repeat(9_000), smuggled]);
  const withTrailers = random.once(4);
  frames.push(
    frame(frameTypes.data, withTrailers ? 0 : flags.endStream, stream, Buffer.from(body, 'latin1')),
  );
  if (withTrailers) {
    const trailers: Field[] = [
      ['x-sum', '1'],
      ['x-vercel-oidc-token', forged],
      ...(random.once(3) ? ([[':path', '/other']] as const) : []),
      ...(random.once(3) ? ([['content-length', '0']] as const) : []),
    ];
    frames.push(...createHeaderFrames(random, stream, encodeHeaders(trailers), true));
  }
  return frames;
}

/** One block in one frame, or in several, padded or with a priority. */
function createHeaderFrames(random: Random, stream: number, block: Buffer, isLast: boolean): Buffer[] {
  const end = isLast ? flags.endStream : 0;
  const most = 16_384;
  if (block.length <= most && !random.once(6)) {
    if (random.once(8)) {
      const padding = random.below(20);
      const padded = Buffer.concat([Buffer.from([padding]), block, Buffer.alloc(padding)]);
      if (padded.length <= most)
        return [frame(frameTypes.headers, end | flags.endHeaders | flags.padded, stream, padded)];
    }
    return [frame(frameTypes.headers, end | flags.endHeaders, stream, block)];
  }
  const pieces: Buffer[] = [];
  for (let at = 0; at < block.length;) {
    const size = Math.min(most, 1 + random.below(Math.max(1, block.length)));
    pieces.push(block.subarray(at, at + size));
    at += size;
  }
  return pieces.map((piece, index) => {
    const last = index === pieces.length - 1 ? flags.endHeaders : 0;
    return index === 0
      ? frame(frameTypes.headers, end | last, stream, piece)
      : frame(frameTypes.continuation, last, stream, piece);
  });
}

function createFields(random: Random, hosts: Http2Hosts, hasBody: boolean, isMutated: boolean): Field[] {
  const target = createTarget(random, hosts.protectedHost);
  const host = random.once(3) ? hosts.openHost : hosts.protectedHost;
  const pseudo: Field[] = [
    [':method', random.once(30) ? random.pick(['CONNECT', 'TRACE', 'get', '', 'G T']) : random.pick(methods)],
    [':scheme', random.once(30) ? random.pick(['http', 'javascript', '', 'HTTPS']) : 'https'],
    [':authority', random.once(25) ? random.pick(oddAuthorities) : host],
    [':path', target],
  ];
  if (random.once(30)) pseudo.splice(random.below(pseudo.length), 1);
  if (random.once(30)) pseudo.push(random.pick(pseudo));
  if (random.once(40)) pseudo.push([':protocol', 'websocket']);
  // Of a target that loses a byte nothing is claimed.
  const fields: Field[] = isMutated ? [] : [[sentTarget, Buffer.from(target, 'latin1').toString('base64')]];
  if (random.once(3))
    fields.push(...createCookies(random, hosts.cookie), [sentSession, '1'], [`${sentSession}-again`, '1']);
  for (let count = random.below(4); count > 0; count--) fields.push(parse(createHeader(random), random));
  if (random.once(2)) fields.push(parse(random.pick(otherHeaders), random));
  if (random.once(10)) fields.push(random.pick(ofHttp1));
  if (random.once(15)) fields.push([random.pick(oddNames), forged]);
  if (random.once(15)) fields.push(['x-odd', random.pick(oddValues)]);
  if (random.once(15)) fields.push(['host', random.pick([host, hosts.openHost, hosts.protectedHost, ''])]);
  if (hasBody && random.once(3))
    fields.push(['content-length', random.pick(['5', '0', '-1', '5, 5', '+5', 'x'])]);
  shuffle(random, fields);
  // Pseudo-header fields come first (RFC 9113 section 8.3); now and then one of them does not.
  if (random.once(40)) fields.splice(random.below(fields.length + 1), 0, pseudo.pop() ?? [':path', '/']);
  return [...pseudo, ...fields];
}

/** One field, or a crumb in each (RFC 9113 section 8.2.3). */
function createCookies(random: Random, cookie: string): Field[] {
  return random.once(2) ? [['cookie', cookie]] : cookie.split('; ').map((crumb): Field => ['cookie', crumb]);
}

function parse(line: string, random: Random): Field {
  const at = line.indexOf(':');
  const name = line.slice(0, Math.max(0, at));
  return [random.once(20) ? name : name.toLowerCase(), line.slice(at + 1).trim()];
}

/** What a connection may not have at this place, or need not. */
function createOddFrame(random: Random, stream: number): Buffer {
  const zero = Buffer.alloc(4);
  const block = encodeHeaders([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'a.app.localhost'],
    [':path', '/'],
    ['x-vercel-oidc-passport-token', forged],
  ]);
  return random.pick([
    () => frame(random.below(256), random.below(256), random.below(9), Buffer.alloc(random.below(40), 1)),
    () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8)),
    () => frame(frameTypes.ping, 0, stream, Buffer.alloc(8)),
    () => frame(frameTypes.ping, 0, 0, Buffer.alloc(7)),
    () => frame(frameTypes.windowUpdate, 0, 0, zero),
    () => frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    () => frame(frameTypes.settings, 0, 0, Buffer.alloc(5)),
    () => frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0xff, 0xff, 0xff, 0xff])),
    () => frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])),
    () => frame(frameTypes.settings, 0, 0, Buffer.from([0, 8, 0, 0, 0, 1])),
    () => frame(frameTypes.settings, flags.ack, 0, Buffer.alloc(6)),
    () => frame(frameTypes.data, flags.endStream, 0, Buffer.from('x')),
    () => frame(frameTypes.data, flags.endStream, stream + 2, Buffer.from('x')),
    () => frame(frameTypes.headers, flags.endHeaders | flags.endStream, 2, block),
    () => frame(frameTypes.headers, flags.endHeaders | flags.endStream, 0, block),
    () => frame(frameTypes.continuation, flags.endHeaders, stream, block),
    () => frame(frameTypes.pushPromise, flags.endHeaders, 1, Buffer.concat([zero, block])),
    () => frame(frameTypes.priority, 0, stream, Buffer.from([0, 0, 0, stream, 1])),
    () => frame(frameTypes.rstStream, 0, stream, zero),
    () => frame(frameTypes.goAway, 0, 0, Buffer.alloc(8)),
    () => frame(frameTypes.headers, flags.endHeaders | flags.padded, stream, Buffer.from([255, 0])),
    () => frame(frameTypes.headers, 0, stream, block),
    () => frame(frameTypes.data, 0, stream, Buffer.alloc(10), 0xfffff),
    // Indexed fields that no table has, and an integer without end.
    () =>
      frame(frameTypes.headers, flags.endHeaders | flags.endStream, stream, Buffer.from([0xff, 0xff, 0x7f])),
    () => frame(frameTypes.headers, flags.endHeaders | flags.endStream, stream, Buffer.alloc(12, 0xff)),
    () => Buffer.from('GET / HTTP/1.1\r\nHost: a.app.localhost\r\n\r\n', 'latin1'),
  ])();
}

function shuffle<Item>(random: Random, items: Item[]): void {
  for (let index = items.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [items[index], items[other]] = [items[other] as Item, items[index] as Item];
  }
}

/** A byte is lost, doubled or another one. */
function mutate(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length);
  const byte = Buffer.from([random.below(256)]);
  return random.pick([
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at + 1)]),
  ])();
}
