import { randomFillSync } from 'node:crypto';

const bytes = 8;

/**
 * Makes names for requests, for answers, logs, audit records and pages: what a person reads out to support. 64 random
 * bits, from a store: every request needs one.
 */
export function createReferences(): () => string {
  const store = Buffer.alloc(bytes * 512);
  let used = store.length;
  return () => {
    if (used === store.length) {
      randomFillSync(store);
      used = 0;
    }
    used += bytes;
    return `req_${store.toString('hex', used - bytes, used)}`;
  };
}
