import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

// Of ASN.1, as much as a certificate needs (X.690; RFC 5280).
const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const integer = (bytes: Uint8Array) => der(0x02, bytes);
const utcTime = (at: number) =>
  der(0x17, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
const objectId = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const bitString = (bytes: Uint8Array) => der(0x03, Buffer.from([0]), bytes);
const extension = (id: string, critical: boolean, value: Uint8Array) =>
  sequence(objectId(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
const nameOf = (commonName: string) =>
  sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(commonName)))));

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
const dayMs = 24 * 60 * 60_000;

type Certified = {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  signingKey: KeyObject;
  extensions: readonly Uint8Array[];
};

function certify({ subject, issuer, publicKey, signingKey, extensions }: Certified): string {
  const certified = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(utcTime(Date.now() - dayMs), utcTime(Date.now() + dayMs)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const certificate = sequence(certified, ecdsaWithSha256, bitString(sign('sha256', certified, signingKey)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** A certificate authority for one test run, and one server certificate of it for all the hosts. */
export function createAuthority(hosts: readonly string[]): {
  certificate: string;
  serverCertificate: string;
  serverKey: string;
} {
  const [own, server] = [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ];
  const issuer = 'Tessera test authority';
  const isAuthority = der(0x01, Buffer.from([0xff]));
  return {
    certificate: certify({
      subject: issuer,
      issuer,
      publicKey: own.publicKey,
      signingKey: own.privateKey,
      // Basic constraints; key usage: signs certificates.
      extensions: [
        extension('551d13', true, sequence(isAuthority)),
        extension('551d0f', true, der(0x03, Buffer.from([0x02, 0x04]))),
      ],
    }),
    serverCertificate: certify({
      subject: 'Tessera test server',
      issuer,
      publicKey: server.publicKey,
      signingKey: own.privateKey,
      // The names that it is for.
      extensions: [
        extension('551d11', false, sequence(...hosts.map((host) => der(0x82, Buffer.from(host))))),
      ],
    }),
    serverKey: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
