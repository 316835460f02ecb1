// The look of every page that the server renders: layout, components, error page, style, fonts, and the headers that
// keep a page safe. Owns no words of a single room, no route and no decision.
export {
  button,
  card,
  checkbox,
  choice,
  definitionList,
  field,
  hiddenFields,
  notice,
  secretOnce,
  time,
  type Field,
  type Meaning,
  type Option,
  type TimelineStep,
} from './components.ts';
export { errorPage, inlinePage, type ErrorFacts } from './error-page.ts';
export { openerKept, type Layout, type Page } from './layout.ts';
export { icon } from './mark.ts';
export { type Markup } from './markup.ts';
export { createPages, type Pages } from './pages.ts';
export { type WebMessage } from './web-message-page.ts';
export { type Asset } from './assets.ts';
