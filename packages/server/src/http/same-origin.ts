import { publicError } from '#errors';
import type { DoorContext } from './door.ts';

/**
 * A form post must come from our own page. Where the browser says from where it comes, it must say so exactly: a
 * sibling host is "same-site", and that is not enough. Throws PublicError `cross_origin`.
 */
export function requireSameOrigin(context: DoorContext, origin: string): void {
  const sent = context.req.header('origin');
  if (sent !== undefined && sent !== origin)
    throw crossOrigin(`Origin '${sent}' was received. Expected '${origin}'.`);
  const site = context.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin') {
    throw crossOrigin(`Sec-Fetch-Site '${site}' was received. Expected 'same-origin'.`);
  }
}

function crossOrigin(description: string) {
  return publicError('cross_origin', { description });
}
