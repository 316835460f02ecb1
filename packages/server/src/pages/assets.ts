import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fontFaces, readFonts } from './fonts.ts';
import { iconFile } from './mark.ts';

export type Asset = { body: Uint8Array<ArrayBuffer>; headers: Record<string, string> };

export type Assets = {
  /** The address of the style sheet, a path at the origin. */
  stylePath: string;
  iconPath: string;
  /** The file at a path below `/assets/`, or undefined. */
  find(name: string): Asset | undefined;
};

/**
 * Style sheet, fonts and icon, each under a name that holds its own hash: a browser keeps them for a year, and a new
 * version has a new name. `base` is the path at which the origin is mounted, without a trailing slash.
 */
export function createAssets(base: string): Assets {
  const files = new Map<string, Asset>();
  const add = (name: string, type: string, content: Buffer): string => {
    const hash = createHash('sha256').update(content).digest('base64url').slice(0, 12);
    const dot = name.lastIndexOf('.');
    const hashed = `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
    files.set(hashed, {
      body: new Uint8Array(content),
      headers: {
        'content-type': type,
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      },
    });
    return `${base}/assets/${hashed}`;
  };

  const fonts = new Map(readFonts().map(({ name, bytes }) => [name, add(name, 'font/woff2', bytes)]));
  const style = `${fontFaces((name) => fonts.get(name) ?? '')}\n${readStyle()}`;
  return {
    stylePath: add('pages.css', 'text/css; charset=utf-8', Buffer.from(style)),
    iconPath: add('icon.svg', 'image/svg+xml', Buffer.from(iconFile)),
    find: (name) => files.get(name),
  };
}

/** The whole style without font files: what a page carries inline where it may ask for nothing. */
export function readStyle(): string {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
  return ['look.css', 'layout.css', 'controls.css', 'subjects.css']
    .map(read)
    .join('\n')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\n\s*/g, '\n');
}
