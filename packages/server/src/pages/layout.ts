import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import { copyScript } from './copy-script.ts';
import { mark } from './mark.ts';
import { openerScript } from './opener-script.ts';
import type { Markup } from './markup.ts';
import { textOf } from './markup.ts';
import { words } from './words.ts';

/** A whole answer, for Hono and for `node:http` alike. */
export type Page = { status: number; headers: Record<string, string>; body: string };

export type Layout = {
  title: string;
  body: Markup;
  status?: number;
  /** `focused`: one decision in the middle; `broad`: lists and sections. */
  width?: 'focused' | 'broad';
  /** What stands beside the name of the house on broad pages. */
  header?: Markup;
  /** Where a form's answer may lead, besides our own origin: CSP sources. */
  formAction?: readonly string[];
  /** A page with a button that copies. */
  copies?: boolean;
  /** The page's form is sent as soon as the page is there (and has a button for when scripts are off). */
  submitsItself?: boolean;
  /**
   * The page is part of a way that ends with a message to the window that opened it: it must not be parted from it.
   */
  keepsOpener?: boolean;
  /** The page's element `#web-message` says what is posted to the window that opened it, and to which origin. */
  postsToOpener?: boolean;
  headers?: Record<string, string>;
};

/** Linked files of our own origin, or one style within the page for hosts that are not ours. */
export type Styling =
  | { kind: 'linked'; stylePath: string; iconPath: string }
  | { kind: 'inline'; style: string };

/** Every answer on the way must say this, or the opener is lost for good. */
export const openerKept = 'unsafe-none';

const submitScript = 'document.forms[0].submit()';

export function renderPage(layout: Layout, styling: Styling): Page {
  const body = textOf(document(layout, styling));
  return {
    status: layout.status ?? 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': contentSecurityPolicy(layout, styling),
      'cross-origin-opener-policy': layout.keepsOpener ? openerKept : 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
      ...layout.headers,
    },
    body,
  };
}

/** The hash of an inline style or script, as a CSP source. */
export function cspHash(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}

/** At most one small script a page, allowed by its hash alone. */
function scriptOf(layout: Layout): string | undefined {
  if (layout.submitsItself) return submitScript;
  if (layout.postsToOpener) return openerScript;
  return layout.copies ? copyScript : undefined;
}

function contentSecurityPolicy(layout: Layout, styling: Styling): string {
  const linked = styling.kind === 'linked';
  const script = scriptOf(layout);
  const directives = [
    "default-src 'none'",
    `style-src ${linked ? "'self'" : cspHash(styling.style)}`,
    // The inline page's icon is an empty data address: else browsers ask the host for one.
    `img-src ${linked ? "'self'" : 'data:'}`,
    `font-src ${linked ? "'self'" : "'none'"}`,
    `script-src ${script === undefined ? "'none'" : cspHash(script)}`,
    `form-action ${["'self'", ...(layout.formAction ?? [])].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
  ];
  return directives.join('; ');
}

function document(layout: Layout, styling: Styling): Markup {
  const width = layout.width ?? 'focused';
  const script = scriptOf(layout);
  return html`<!doctype html>
    <html lang="${words.language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${layout.title} · ${words.brand}</title>
        ${files(styling)}
      </head>
      <body class="${width}">
        ${width === 'broad' ? html`<a class="skip" href="#content">${words.skipToContent}</a>` : ''}
        <header class="top">
          <p class="brand">${mark()}<span>${words.brand}</span></p>
          ${layout.header ?? ''}
        </header>
        <main id="content">${layout.body}</main>
        ${script === undefined ? '' : raw(`<script>${script}</script>`)}
      </body>
    </html>`;
}

function files(styling: Styling): Markup {
  if (styling.kind === 'linked') {
    return html`<link rel="stylesheet" href="${styling.stylePath}" />
      <link rel="icon" type="image/svg+xml" href="${styling.iconPath}" />`;
  }
  // Whole elements, untouched by any formatter: the CSP holds the hash of every character between the tags.
  return raw(`<style>${styling.style}</style><link rel="icon" href="data:,">`);
}
