import { createHash } from 'node:crypto';
import { publicError } from '#errors';
import type { App } from './app.ts';

/** A logo as it is served. */
export type AppLogo = { type: LogoType; bytes: Uint8Array };
export type LogoType = keyof typeof endings;

const endings = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' } as const;

/** Below the origin. The name is made of the content, so a browser may keep it for ever. */
export function logoPath(name: string): string {
  return `/logos/${name}`;
}

/** The name of a logo's file; undefined for a path that is none. */
export function isLogoName(name: string): boolean {
  return /^[A-Za-z0-9_-]{32}\.(?:png|jpg|webp)$/.test(name);
}

/**
 * What an upload really is, by the bytes that each kind of image begins with. Throws `logo_refused` when it is none
 * that we show, or not what it says it is.
 */
export function parseLogo(upload: { type: string; bytes: Uint8Array }): AppLogo & { name: string } {
  const type = typeOf(upload.bytes);
  if (type === undefined || type !== upload.type) {
    throw publicError('logo_refused', {
      description: `The body was sent as ${upload.type}, and its content is ${type ?? 'no PNG, JPEG or WebP image'}.`,
    });
  }
  const hash = createHash('sha256').update(upload.bytes).digest('base64url');
  return { type, bytes: upload.bytes, name: `${hash.slice(0, 32)}.${endings[type]}` };
}

function typeOf(bytes: Uint8Array): LogoType | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 16)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'image/webp';
  return undefined;
}

/** The app with another logo. `updatedAt` is the version that its statement asks for: never the same twice. */
export function withLogo(app: App, name: string | undefined, now: number): App {
  return {
    ...app,
    logo: name === undefined ? undefined : logoPath(name),
    updatedAt: Math.max(now, app.updatedAt + 1),
  };
}
