import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JWK,
} from 'jose';
import type { Sealing } from '#sealing';
import { type HeldKey, type KeyAlgorithm, type KeyPurpose, type PublicKey } from './key.ts';
import type { KeyRow } from './key-store.ts';

const sealingPurpose = 'signing-key';

/**
 * Makes a key and seals its private half under its own `kid`, so that a row cannot be given another key's secret.
 * The work is done on libuv's pool: three RSA keys in parallel take about 150 ms of two cores and none of the event
 * loop. `kid` is the RFC 7638 thumbprint.
 */
export async function generateKeyRow(
  sealing: Sealing,
  key: {
    teamId: string | undefined;
    purpose: KeyPurpose;
    algorithm: KeyAlgorithm;
    generation: number;
    createdAt: number;
    activeFrom: number;
  },
): Promise<KeyRow> {
  const { purpose, algorithm, generation, createdAt, activeFrom } = key;
  const pair = await generateKeyPair(algorithm, { modulusLength: 2048, extractable: true });
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  const kid = await calculateJwkThumbprint(publicJwk, 'sha256');
  return {
    kid,
    teamId: key.teamId ?? '',
    purpose,
    algorithm,
    generation,
    publicJwk: JSON.stringify({ ...publicJwk, kid, use: 'sig', alg: algorithm }),
    sealedPrivateJwk: await sealing.seal(sealingPurpose, JSON.stringify(privateJwk), kid),
    createdAt,
    activeFrom,
    removedAt: null,
    revokedAt: null,
  };
}

/** Opens a row. Throws an `Error` with a mend when the master key is not the one that sealed it. */
export async function openKeyRow(sealing: Sealing, row: KeyRow): Promise<HeldKey> {
  const privateJwk = await openPrivateJwk(sealing, row);
  const publicJwk = JSON.parse(row.publicJwk) as PublicKey;
  const [publicKey, privateKey] = await Promise.all([
    importJWK(publicJwk, row.algorithm),
    importJWK(privateJwk, row.algorithm),
  ]);
  return {
    kid: row.kid,
    teamId: row.teamId === '' ? undefined : row.teamId,
    purpose: row.purpose as KeyPurpose,
    algorithm: row.algorithm as KeyAlgorithm,
    generation: row.generation,
    activeFrom: row.activeFrom,
    publicJwk,
    publicKey: publicKey as CryptoKey,
    privateKey: privateKey as CryptoKey,
  };
}

async function openPrivateJwk(sealing: Sealing, row: KeyRow): Promise<JWK> {
  let opened: string;
  try {
    opened = await sealing.open(sealingPurpose, row.sealedPrivateJwk, row.kid);
  } catch (cause) {
    throw new Error(
      `The signing key ${row.kid} (${row.purpose}, ${row.algorithm}) does not open with this master key. ` +
        'Give the server the master key that this database was started with (TESSERA_MASTER_KEY or ' +
        'TESSERA_MASTER_KEY_FILE, or the file master-key in the data folder).',
      { cause },
    );
  }
  return JSON.parse(opened) as JWK;
}
