import { randomBytes, sign, type KeyObject } from 'node:crypto';

// DER (X.690) of the few types that a certificate has.
const tagOf = {
  integer: 0x02,
  bitString: 0x03,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  explicit0: 0xa0,
} as const;

const sha256WithRsaEncryption = Buffer.from('300d06092a864886f70d01010b0500', 'hex');
const ecdsaWithSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const commonName = Buffer.from('0603550403', 'hex');
const version3 = Buffer.from('020102', 'hex');

/** Nobody trusts the certificate for its dates: which key is in force is the team's decision, so it ends late. */
const validYears = 10;

/**
 * Wraps a public key into a self-signed X.509 certificate (RFC 5280 section 4.1), as PEM: Microsoft Entra ID knows the
 * key of an application only in this form.
 */
export function createCertificate(pair: {
  publicKey: KeyObject;
  privateKey: KeyObject;
  /** ASCII. */
  name: string;
  createdAt: number;
}): string {
  const algorithm = pair.publicKey.asymmetricKeyType === 'ec' ? ecdsaWithSha256 : sha256WithRsaEncryption;
  const name = sequence(der('set', sequence(commonName, der('utf8String', Buffer.from(pair.name)))));
  const begins = new Date(pair.createdAt);
  const ends = new Date(begins);
  ends.setUTCFullYear(begins.getUTCFullYear() + validYears);
  const content = sequence(
    der('explicit0', version3),
    der('integer', serialNumber()),
    algorithm,
    name,
    sequence(utcTime(begins), utcTime(ends)),
    name,
    pair.publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', content, pair.privateKey);
  const certificate = sequence(content, algorithm, der('bitString', Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** A positive number of 127 bits whose encoding has no needless leading byte. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** Two digits of the year: enough until 2049, when this form ends (RFC 5280 section 4.1.2.5.1). */
function utcTime(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return der('utcTime', Buffer.from(`${digits}Z`));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der('sequence', ...parts);
}

function der(type: keyof typeof tagOf, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tagOf[type]]), lengthOf(content), content]);
}

function lengthOf(content: Uint8Array): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.from([length]);
  return length < 0x100 ? Buffer.from([0x81, length]) : Buffer.from([0x82, length >> 8, length & 0xff]);
}
