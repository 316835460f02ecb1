import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from '#logger';

/** Two PEM files: a certificate with its chain, and its key. */
export type CertificateFiles = { readonly certificate: string; readonly key: string };

export type Certificates = {
  /** Of the certificate that names this host; of the first one where none does. */
  find(host: string): SecureContext;
  /** Tells the first certificate, for who names no host: now, and whenever it is another. */
  followFirst(use: (pair: CertificatePair) => void): void;
  stop(): void;
};

export type CertificatePair = { readonly cert: Buffer; readonly key: Buffer };

type Loaded = { pair: CertificatePair; context: SecureContext; certificate: X509Certificate };

const lookMilliseconds = 2_000;

/**
 * Reads the files, and again when they change: a renewed certificate is used for the next handshake. A pair that cannot
 * be used, as in the middle of being written, leaves the one before in its place.
 *
 * @throws {Error} when a file cannot be read at the start, or its key is of another certificate
 */
export function createCertificates(
  files: readonly CertificateFiles[],
  logger: Logger,
  pollMilliseconds = lookMilliseconds,
): Certificates {
  const loaded = files.map(load);
  let useFirst: ((pair: CertificatePair) => void) | undefined;
  const stops = files.flatMap((pair, index) => {
    const reload = () => {
      try {
        const renewed = load(pair);
        loaded[index] = renewed;
        if (index === 0) useFirst?.(renewed.pair);
        logger.info('tls.reloaded', { certificate: pair.certificate });
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error);
        logger.warn('tls.not-reloaded', { certificate: pair.certificate, cause });
      }
    };
    return [pair.certificate, pair.key].map((path) => {
      // Asked for and not told of: what links and mounts do when they are renewed differs from system to system.
      watchFile(path, { interval: pollMilliseconds, persistent: false }, reload);
      return () => unwatchFile(path, reload);
    });
  });
  return {
    find(host) {
      const found = loaded.find(({ certificate }) => certificate.checkHost(host) !== undefined) ?? loaded[0];
      if (found === undefined) throw new Error('there is no certificate');
      return found.context;
    },
    followFirst(use) {
      useFirst = use;
      if (loaded[0] !== undefined) use(loaded[0].pair);
    },
    stop() {
      for (const stop of stops) stop();
    },
  };
}

function load(files: CertificateFiles): Loaded {
  const cert = readFileSync(files.certificate);
  const key = readFileSync(files.key);
  const pair = { cert, key };
  return { pair, context: createSecureContext(pair), certificate: new X509Certificate(cert) };
}
