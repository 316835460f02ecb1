import type { ServerResponse } from 'node:http';

/** Text that goes into HTML, as text. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A list of facts, as the examples show claims: names and values are escaped here. */
export function renderFacts(facts: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(facts).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `<dt>${escapeHtml(name)}</dt><dd id="${escapeHtml(name)}">${escapeHtml(text)}</dd>`;
  });
  return `<dl>${rows.join('')}</dl>`;
}

const style = `
:root { color-scheme: light dark; --line: light-dark(#e4e4e4, #2e2e2e); --quiet: light-dark(#5c5c5c, #a3a3a3);
  --text: light-dark(#171717, #ededed); --ground: light-dark(#fafafa, #0a0a0a); --card: light-dark(#fff, #121212); }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--ground);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 560px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 32px; }
h1 { margin: 0 0 8px; font-size: 20px; font-weight: 600; letter-spacing: -0.01em; }
p { margin: 0 0 16px; color: var(--quiet); }
dl { margin: 24px 0; display: grid; grid-template-columns: auto 1fr; gap: 8px 16px; font-size: 14px; }
dt { color: var(--quiet); }
dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
label { display: block; margin: 0 0 16px; font-size: 14px; }
input { display: block; width: 100%; margin-top: 4px; padding: 8px 12px; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 6px; }
button, a.button { display: inline-block; padding: 8px 16px; font: inherit; font-weight: 500; text-decoration: none;
  cursor: pointer; color: var(--card); background: var(--text); border: 1px solid var(--text); border-radius: 6px; }
:focus-visible { outline: 2px solid light-dark(#0068d6, #52a8ff); outline-offset: 2px; }
`;

/** A whole page. `body` is HTML already. */
export function renderPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`;
}

/** Answers with a page that no cache keeps. */
export function sendPage(response: ServerResponse, status: number, title: string, body: string): void {
  response
    .writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    .end(renderPage(title, body));
}
