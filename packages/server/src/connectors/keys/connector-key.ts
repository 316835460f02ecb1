import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from 'jose';
import type { Sealing } from '#sealing';
import { isEntraHost, type ProviderMetadata } from '../connector.ts';
import { createCertificate } from './certificate.ts';

export type ConnectorKeyAlgorithm = 'RS256' | 'PS256' | 'ES256';

/** A key with which one connector, and no other, proves itself to its provider. */
export type ConnectorKey = {
  kid: string;
  connectorId: string;
  algorithm: ConnectorKeyAlgorithm;
  /** The one that signs. All are published. */
  isActive: boolean;
  publicJwk: JWK;
  /** PEM. */
  certificate: string;
  createdAt: number;
};

/** The active key, opened to sign one assertion. */
export type OpenedConnectorKey = {
  kid: string;
  algorithm: ConnectorKeyAlgorithm;
  privateKey: CryptoKey;
  /** `x5t#S256` (RFC 7515 section 4.1.8): by which Microsoft Entra ID finds the certificate. */
  certificateThumbprint: string;
};

/** At most so many at once: one that signs, one to come, and what nobody has tidied up. */
export const maximumKeys = 4;

const sealingPurpose = 'connector-key';

/** Makes a key, sealed under its own `kid` (the RFC 7638 thumbprint). */
export async function generateConnectorKey(
  sealing: Sealing,
  made: { connectorId: string; algorithm: ConnectorKeyAlgorithm; isActive: boolean; createdAt: number },
): Promise<{ key: ConnectorKey; sealedPrivateJwk: string }> {
  const pair = await generateKeyPair(made.algorithm, { modulusLength: 2048, extractable: true });
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  const kid = await calculateJwkThumbprint(publicJwk, 'sha256');
  const certificate = createCertificate({
    publicKey: createPublicKey({ key: publicJwk, format: 'jwk' }),
    privateKey: createPrivateKey({ key: privateJwk, format: 'jwk' }),
    name: made.connectorId,
    createdAt: made.createdAt,
  });
  const der = new X509Certificate(certificate).raw;
  return {
    key: {
      ...made,
      kid,
      certificate,
      publicJwk: {
        ...publicJwk,
        kid,
        use: 'sig',
        alg: made.algorithm,
        x5c: [der.toString('base64')],
        'x5t#S256': createHash('sha256').update(der).digest('base64url'),
      },
    },
    sealedPrivateJwk: await sealing.seal(sealingPurpose, JSON.stringify(privateJwk), kid),
  };
}

export async function openConnectorKey(
  sealing: Sealing,
  key: ConnectorKey,
  sealedPrivateJwk: string,
): Promise<OpenedConnectorKey> {
  const privateJwk = JSON.parse(await sealing.open(sealingPurpose, sealedPrivateJwk, key.kid)) as JWK;
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    privateKey: (await importJWK(privateJwk, key.algorithm)) as CryptoKey,
    certificateThumbprint: key.publicJwk['x5t#S256'] ?? '',
  };
}

/**
 * What an assertion is signed with. RS256 is what every provider reads; Microsoft Entra ID asks for PS256, and those
 * that keep the FAPI profiles for PS256 or ES256.
 */
export function chooseKeyAlgorithm(
  issuer: string,
  metadata: Pick<ProviderMetadata, 'tokenEndpointAuthSigningAlgValuesSupported'> | undefined,
): ConnectorKeyAlgorithm {
  const offered = metadata?.tokenEndpointAuthSigningAlgValuesSupported;
  const order: readonly ConnectorKeyAlgorithm[] = isEntraHost(new URL(issuer).hostname)
    ? ['PS256', 'RS256', 'ES256']
    : ['RS256', 'PS256', 'ES256'];
  const fallback: ConnectorKeyAlgorithm = order[0] ?? 'RS256';
  return order.find((algorithm) => offered?.includes(algorithm) ?? true) ?? fallback;
}
