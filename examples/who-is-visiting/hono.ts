import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { honoRequestContext } from '@tessera/oidc/request-context';
import { Hono } from 'hono';
import { listen, type Running } from '../listen.ts';
import { answerVisit, type VisitSettings } from './visit.ts';

export function startHonoApp(settings: VisitSettings & { port: number }): Promise<Running> {
  const app = new Hono();
  app.use(honoRequestContext());
  app.get('/', async (c) => {
    const { status, page } = await answerVisit(settings);
    return c.html(page, status as 200);
  });
  const answer = getRequestListener(app.fetch);
  return listen(
    createServer((request, response) => void answer(request, response)),
    settings.port,
  );
}
