import { createAssets, type Asset } from './assets.ts';
import { renderErrorPage, type ErrorFacts } from './error-page.ts';
import { renderPage, type Layout, type Page, type Styling } from './layout.ts';
import { renderWebMessagePage, type WebMessage } from './web-message-page.ts';

export type Pages = {
  /** A page of our own origin. */
  page(layout: Layout): Page;
  /** An error page of our own origin. For any other host there is `errorPage`. */
  errorPage(facts: ErrorFacts): Page;
  /** A page of a popup that posts a message to the window that opened it; an error page without one. */
  webMessagePage(message: WebMessage): Page;
  /** The file below `{origin}/assets/`, or undefined. */
  findAsset(name: string): Asset | undefined;
};

/** `origin` is the base URL of the origin's pages, without a trailing slash. */
export function createPages({ origin }: { origin: string }): Pages {
  const base = new URL(origin).pathname.replace(/\/$/, '');
  const assets = createAssets(base);
  const linked: Styling = { kind: 'linked', stylePath: assets.stylePath, iconPath: assets.iconPath };

  return {
    page: (layout) => renderPage(layout, linked),
    errorPage: (facts) => renderErrorPage(facts, linked),
    webMessagePage: (message) => renderWebMessagePage(message, linked),
    findAsset: assets.find,
  };
}
