import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What is said of a name. */
export type DnsAnswer =
  /** TXT records, each of one or several strings; said once `after` is over. */
  | { texts: readonly (readonly string[])[]; after?: Promise<unknown> }
  /** CNAME: as a resolver does it, whoever asks for TXT is told the target's too. */
  | { alias: string }
  /** The code of an error (RFC 1035 section 4.1.1: 2 SERVFAIL, 5 REFUSED). */
  | { code: number }
  | 'silence'
  /** Bytes that are no answer. */
  | 'rubbish'
  /** "It is too long, ask by TCP", and there nothing. */
  | 'cut';

export type DnsServer = {
  /** `address:port`, as TESSERA_DNS_SERVERS takes it. */
  address: string;
  /** By lower-case name; whatever is not here does not exist (NXDOMAIN). */
  zone: Map<string, DnsAnswer>;
  /** `TYPE name` of every question, in order. */
  asked: string[];
  close(): Promise<void>;
};

const types = { 5: 'CNAME', 16: 'TXT' } as Readonly<Record<number, string>>;
const longestDatagram = 1_232;

/** A name server on loopback, over UDP and TCP, that says what a test tells it to. */
export async function startDnsServer(): Promise<DnsServer> {
  const zone = new Map<string, DnsAnswer>();
  const asked: string[] = [];
  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));

  udp.on('message', (query, from) => {
    const found = zone.get(readQuestion(query).name);
    const answer = answerTo(query, zone, asked, longestDatagram);
    if (answer === undefined) return;
    const after = typeof found === 'object' && 'after' in found ? found.after : undefined;
    void Promise.resolve(after).then(() => udp.send(answer, from.port, from.address));
  });
  const sockets = new Set<Socket>();
  tcp.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let received = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const answer = answerTo(received.subarray(2, end), zone, asked, 65_535);
        received = received.subarray(end);
        if (answer === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      }
    });
  });

  return {
    address: `127.0.0.1:${port}`,
    zone,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

function answerTo(
  query: Buffer,
  zone: ReadonlyMap<string, DnsAnswer>,
  asked: string[],
  longest: number,
): Buffer | undefined {
  const { name, type, question } = readQuestion(query);
  asked.push(`${types[type] ?? type} ${name}`);
  const found = zone.get(name);
  if (found === 'silence') return undefined;
  if (found === 'rubbish') return Buffer.concat([query.subarray(0, 2), Buffer.from('no answer at all')]);
  const head = (code: number, answers: number, isCut = false): Buffer => {
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    // A response; recursion was desired and is available.
    header.writeUInt16BE(0x8180 | (isCut ? 0x0200 : 0) | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers, 6);
    return Buffer.concat([header, question]);
  };
  if (found === 'cut') return longest === longestDatagram ? head(0, 0, true) : undefined;
  if (found === undefined) return head(3, 0);
  if ('code' in found) return head(found.code, 0);
  const records = recordsOf(name, type, found, zone);
  const answer = Buffer.concat([head(0, records.length), ...records]);
  return answer.length > longest ? head(0, 0, true) : answer;
}

function recordsOf(
  name: string,
  type: number,
  found: { texts: readonly (readonly string[])[] } | { alias: string },
  zone: ReadonlyMap<string, DnsAnswer>,
): Buffer[] {
  if ('texts' in found) return type === 16 ? found.texts.map((strings) => textRecord(name, strings)) : [];
  const alias = record(name, 5, encodeName(found.alias));
  const target = zone.get(found.alias);
  const texts =
    type === 16 && typeof target === 'object' && 'texts' in target
      ? target.texts.map((strings) => textRecord(found.alias, strings))
      : [];
  return [alias, ...texts];
}

function textRecord(name: string, strings: readonly string[]): Buffer {
  const parts = strings.map((text) => {
    const bytes = Buffer.from(text, 'latin1');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  return record(name, 16, Buffer.concat(parts));
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function readQuestion(query: Buffer): { name: string; type: number; question: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return {
    name: labels.join('.').toLowerCase(),
    type: query.readUInt16BE(at + 1),
    question: query.subarray(12, at + 5),
  };
}
