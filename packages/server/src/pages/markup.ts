import type { html } from 'hono/html';

/** Escaped HTML: what the `html` tag of `hono/html` gives. */
export type Markup = ReturnType<typeof html>;

/** The text of markup that waits for nothing; our templates never do. */
export function textOf(markup: Markup): string {
  if (markup instanceof Promise) throw new Error('a template of a page must not contain a promise');
  return markup.toString();
}
