import { createHash } from 'node:crypto';
import type { DoorContext } from './door.ts';

/**
 * A JSON document that is the same for everybody, to be cached for so many seconds and then asked for again by its
 * entity tag. The tag is a strong validator of exactly these bytes (RFC 9110 section 8.8.3).
 */
export function publicDocument(context: DoorContext, document: object, cacheSeconds: number): Response {
  const body = JSON.stringify(document);
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
  context.header('cache-control', `public, max-age=${cacheSeconds}`);
  context.header('etag', tag);
  if (isNotModified(context.req.header('if-none-match'), tag)) return context.body(null, 304);
  return context.body(body, 200, { 'content-type': 'application/json' });
}

/** Whether the copy that the client has is still the one we would send (RFC 9110 section 13.1.2). */
function isNotModified(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch
    .split(',')
    .map((candidate) => candidate.trim().replace(/^W\//, ''))
    .some((candidate) => candidate === '*' || candidate === tag);
}
