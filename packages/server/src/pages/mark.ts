import { html, raw } from 'hono/html';
import type { Markup } from './markup.ts';

// A tessera was split between host and guest: two halves whose edges fit each other alone.
const upperHalf = 'M3 6a3 3 0 0 1 3-3h12a3 3 0 0 1 3 3v1.5h-8V13H3Z';
const lowerHalf = 'M21 10v8a3 3 0 0 1-3 3H6a3 3 0 0 1-3-3v-2.5h12.5V10Z';

/** The sign of the house. It says nothing that the name beside it does not say. */
export function mark(): Markup {
  return html`<svg
    class="mark"
    viewBox="0 0 24 24"
    width="24"
    height="24"
    aria-hidden="true"
    focusable="false"
  >
    <path d="${upperHalf}" fill="currentColor" />
    <path d="${lowerHalf}" fill="currentColor" opacity="0.55" />
  </svg>`;
}

export const iconFile = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><style>path{fill:#17171a}@media(prefers-color-scheme:dark){path{fill:#ededef}}</style><path d="${upperHalf}"/><path d="${lowerHalf}" opacity=".55"/></svg>`;

const strokes = {
  good: 'M5 12.5l4.5 4.5L19 7.5',
  warning: 'M12 4 21 20H3Zm0 6v4.5m0 2.6v.1',
  danger: 'M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17Zm0 4.5v5m0 2.9v.1',
  information: 'M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17Zm0 7.5v5.2m0-8.3V8',
  arrow: 'M5 12h14m-5-5 5 5-5 5',
};

/** A sign of the one set: drawn with one stroke of 1.75 px, always beside words. */
export function icon(name: keyof typeof strokes): Markup {
  return html`<svg
    class="icon"
    viewBox="0 0 24 24"
    width="20"
    height="20"
    aria-hidden="true"
    focusable="false"
  >
    <path
      d="${raw(strokes[name])}"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>`;
}
