import { randomUUID } from 'node:crypto';

/**
 * Names one request in answers, logs, audit records and pages: what a person reads out to support. 62 random bits,
 * from the one source of Node that keeps some in store: every request needs one.
 */
export function createReference(): string {
  const uuid = randomUUID();
  return `req_${uuid.slice(19, 23)}${uuid.slice(24)}`;
}
