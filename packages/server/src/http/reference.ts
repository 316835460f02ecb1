import { randomBytes } from 'node:crypto';

const digits = 16;
const inStore = 512;

/**
 * Makes names for requests, for answers, logs, audit records and pages: what a person reads out to support. 64 random
 * bits, from a store: every request needs one.
 */
export function createReferences(): () => string {
  let store = '';
  let used = 0;
  return () => {
    if (used === store.length) {
      store = randomBytes((digits / 2) * inStore).toString('hex');
      used = 0;
    }
    used += digits;
    return `req_${store.slice(used - digits, used)}`;
  };
}
