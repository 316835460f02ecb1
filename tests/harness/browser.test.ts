import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { listen } from '../../examples/listen.ts';
import { openBrowser } from './browser.ts';

test('a browser opens a page of a host below localhost and keeps its cookies', async () => {
  const server = createServer((request, response) => {
    response
      .writeHead(200, {
        'content-type': 'text/html',
        'set-cookie': '__Host-visited=yes; Path=/; Secure; HttpOnly',
      })
      .end(
        `<!doctype html><p id="host">${request.headers.host}</p><p id="cookie">${request.headers.cookie}</p>`,
      );
  });
  const running = await listen(server, 0);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const { port } = new URL(running.url);
    await page.goto(`http://acme.app.localhost:${port}/`);
    await page.reload();
    expect(await page.textContent('#host')).toBe(`acme.app.localhost:${port}`);
    expect(await page.textContent('#cookie')).toBe('__Host-visited=yes');
  } finally {
    await browser.close();
    await running.close();
  }
});
