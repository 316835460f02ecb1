import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config, ConfigProblem } from './config.ts';

/** What is wrong with the files of TESSERA_TLS_CERTIFICATES: named here, since OpenSSL names neither file nor mend. */
export function findCertificateProblems({ certificates }: Pick<Config, 'certificates'>): ConfigProblem[] {
  return certificates
    .map((files) => describeProblem(files))
    .filter((problem) => problem !== undefined)
    .map((problem) => ({ name: 'TESSERA_TLS_CERTIFICATES', problem }));
}

/** What browsers will hold against a listener with these files, which can be read. */
export function findCertificateWarnings(
  { certificates, urls, deployments, roles }: Pick<Config, 'certificates' | 'urls' | 'deployments' | 'roles'>,
  now: number,
): ConfigProblem[] {
  if (certificates.length === 0) return [];
  const read = certificates.map(({ certificate }) => ({
    path: certificate,
    certificate: new X509Certificate(readFileSync(certificate)),
  }));
  const hosts = new Set(
    roles.includes('identity') ? Object.values(urls).map((url) => new URL(url).hostname) : [],
  );
  // Any name there stands for all of them: what deployments are called comes later.
  if (deployments !== undefined && roles.includes('gateway')) {
    hosts.add(`any-deployment.${deployments.domain}`);
  }
  return [
    ...read.flatMap(({ path, certificate: { validFromDate, validToDate } }) =>
      validToDate.getTime() <= now
        ? [`${path} has run out at ${validToDate.toISOString()}`]
        : validFromDate.getTime() > now
          ? [`${path} is not good before ${validFromDate.toISOString()}`]
          : [],
    ),
    ...[...hosts]
      .filter((host) => !read.some(({ certificate }) => certificate.checkHost(host) !== undefined))
      .map((host) => `has no certificate that names ${host.replace(/^any-deployment\./, '*.')}`),
  ].map((problem) => ({ name: 'TESSERA_TLS_CERTIFICATES', problem: `${problem}; browsers will refuse it` }));
}

function describeProblem(files: { certificate: string; key: string }): string | undefined {
  const cert = readText(files.certificate);
  if (typeof cert !== 'string') return cert.problem;
  const key = readText(files.key);
  if (typeof key !== 'string') return key.problem;
  try {
    new X509Certificate(cert);
  } catch {
    return `${files.certificate} is no certificate in PEM (-----BEGIN CERTIFICATE-----); expected CERTIFICATE:KEY`;
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
    return `${files.key} is no key in PEM (-----BEGIN PRIVATE KEY-----); expected CERTIFICATE:KEY`;
  }
  if (/-----BEGIN ENCRYPTED|ENCRYPTED$/m.test(key)) {
    return `${files.key} is locked by a passphrase; expected one without (openssl pkey -in ${files.key})`;
  }
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
      ? `${files.key} is the key of another certificate than ${files.certificate}`
      : `${files.certificate} and ${files.key} cannot be used (${error instanceof Error ? error.message : 'unknown'})`;
  }
}

function readText(path: string): string | { problem: string } {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { problem: `${path} cannot be read (${reason})` };
  }
}
