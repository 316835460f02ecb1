import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ReceivedLogout = {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** The form's fields. */
  fields: URLSearchParams;
};

/** What an app's back-channel logout URL answers: a status, or nothing at all. */
export type LogoutAnswer = { status: number; headers?: Record<string, string> } | 'silence';

/** An app's server that takes logout tokens, and answers as a test says. */
export async function startLogoutReceiver() {
  const received: ReceivedLogout[] = [];
  let answer: LogoutAnswer = { status: 200 };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        fields: new URLSearchParams(body),
      });
      if (answer === 'silence') return;
      response.writeHead(answer.status, answer.headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/backchannel-logout`,
    received,
    answerWith: (next: LogoutAnswer) => void (answer = next),
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export type LogoutReceiver = Awaited<ReturnType<typeof startLogoutReceiver>>;
