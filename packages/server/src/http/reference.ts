import { randomBytes } from 'node:crypto';

/** Names one request in answers, logs, audit records and pages: what a person reads out to support. */
export function createReference(): string {
  return `req_${randomBytes(9).toString('base64url').replaceAll(/[-_]/g, '0')}`;
}
