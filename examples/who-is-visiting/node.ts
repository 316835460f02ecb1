import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { withRequestContext } from '@tessera/oidc/request-context';
import { listen, type Running } from '../listen.ts';
import { answerVisit, type VisitSettings } from './visit.ts';

export function startNodeApp(settings: VisitSettings & { port: number }): Promise<Running> {
  const answer = async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const { status, page } = await answerVisit(settings);
      response.writeHead(status, { 'content-type': 'text/html' }).end(page);
    } catch {
      response.writeHead(500).end();
    }
  };
  const server = createServer(withRequestContext(answer));
  return listen(server, settings.port);
}
