import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listen, type Running } from '../listen.ts';

export type SinglePageAppSettings = {
  port: number;
  /** `{origin}` of Tessera. */
  issuer: string;
  clientId: string;
};

const pages = { file: join(import.meta.dirname, 'index.html'), type: 'text/html; charset=utf-8' };
const files: Readonly<Record<string, { file: string; type: string }>> = {
  '/': pages,
  '/callback': pages,
  '/app.js': { file: join(import.meta.dirname, 'app.js'), type: 'text/javascript' },
  '/style.css': { file: join(import.meta.dirname, 'style.css'), type: 'text/css' },
  // One module without imports of its own, so a browser takes it as it is.
  '/oauth4webapi.js': {
    file: fileURLToPath(import.meta.resolve('oauth4webapi')),
    type: 'text/javascript',
  },
};

/** Serves the files of the app: any static server does. What differs by installation is in `/settings.js`. */
export async function startSinglePageApp(settings: SinglePageAppSettings): Promise<Running> {
  const { issuer, clientId } = settings;
  const settingsModule = `export const issuer = ${JSON.stringify(issuer)};
export const clientId = ${JSON.stringify(clientId)};
`;

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const found = files[path];
    if (path !== '/settings.js' && !found) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found');
      return;
    }
    const body = found ? await readFile(found.file) : settingsModule;
    response
      .writeHead(200, {
        'content-type': found?.type ?? 'text/javascript',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        // The address of the callback carries a code.
        'referrer-policy': 'no-referrer',
      })
      .end(body);
  }

  return listen(
    createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      answer(pathname, response).catch((error: unknown) => {
        console.error(error);
        response.destroy();
      });
    }),
    settings.port,
  );
}
