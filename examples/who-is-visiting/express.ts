import { createServer } from 'node:http';
import { expressRequestContext } from '@tessera/oidc/request-context';
import express from 'express';
import { listen, type Running } from '../listen.ts';
import { answerVisit, type VisitSettings } from './visit.ts';

export function startExpressApp(settings: VisitSettings & { port: number }): Promise<Running> {
  const app = express();
  app.use(expressRequestContext());
  app.get('/', async (_request, response) => {
    const { status, page } = await answerVisit(settings);
    response.status(status).type('html').send(page);
  });
  return listen(createServer(app), settings.port);
}
