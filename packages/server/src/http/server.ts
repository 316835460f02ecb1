import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { publicError } from '#errors';
import type { Logger } from '#logger';
import { answerDirectly } from './direct.ts';
import type { RequestFacts } from './door.ts';
import { createCertificates, type CertificateFiles } from './certificates.ts';
import { endSocket } from './end-socket.ts';
import { answerOf } from './error-answers.ts';
import type { Application } from './host-table.ts';
import { hostOf, isHttp2 } from './http-version.ts';
import {
  closeAfterBody,
  hasBody,
  usualPatience,
  waitForUnreadBody,
  waitUntilTaken,
  type Patience,
} from './patience.ts';
import { createReferences } from './reference.ts';
import { createSecureServer } from './secure-server.ts';

// Room for what the doors themselves refuse with a page: a sibling's cookies must not lock a visitor out with a bare
// 431 that no page can mend.
const headerLimitBytes = 64 * 1024;
const addressLimitCharacters = 8 * 1024;
/** How often Node looks for heads that are not whole yet; by itself only every 30 s. */
const connectionsCheckingInterval = 5_000;

/**
 * A door on `node:http` itself: the gateway's data path, where a byte is not touched twice. It names the request in its
 * answers itself: a header set before would make Node merge it with the door's own list, one by one.
 */
export type NodeDoor = {
  request(request: IncomingMessage, response: ServerResponse, facts: RequestFacts): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, facts: RequestFacts): void;
};

export type Listener = {
  readonly host: string;
  /** 0 for a socket in the file system. */
  readonly port: number;
  /** Takes no new connection, lets running requests end, and cuts what is left when the time for that is over. */
  close(): Promise<void>;
};

export type ListenNeeds = {
  host: string;
  port: number;
  /** A socket in the file system, for its owner and group alone, instead of host and port. */
  socketPath?: string | undefined;
  /** The application of one of our own hosts. */
  findApplication(host: string): Application | undefined;
  /** Everything else. */
  gateway: NodeDoor;
  clientAddress(socketAddress: string | undefined, forwardedFor: string | undefined): string;
  requestIdHeader: string;
  logger: Logger;
  /** How long running requests may go on after `close`; 10 s by default. */
  drainMilliseconds?: number;
  patience?: Partial<Patience>;
  /** TLS with these certificates, chosen by the name that the browser asks for; plain without any. */
  certificates?: readonly CertificateFiles[];
};

/** Listens. Each request gets its reference first; then its host decides between our own doors and the gateway. */
export async function listen(needs: ListenNeeds): Promise<Listener> {
  const { logger, gateway, findApplication, requestIdHeader } = needs;
  const patience: Patience = { ...usualPatience, ...needs.patience };
  let isClosing = false;
  const createReference = createReferences();
  const factsOf = new WeakMap<IncomingMessage, RequestFacts>();
  const begin = (request: IncomingMessage): RequestFacts => {
    const forwarded = request.headers['x-forwarded-for'];
    return {
      reference: createReference(),
      clientAddress: needs.clientAddress(
        request.socket.remoteAddress,
        Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
      ),
    };
  };
  const refuse = (response: ServerResponse, error: Error, { reference }: RequestFacts): void => {
    response.setHeader(requestIdHeader, reference);
    void send(response, refusal(error), reference).then(() =>
      waitUntilTaken(response, patience.untakenAnswer),
    );
  };

  const answerDoors = getRequestListener(
    async (request, { incoming, outgoing }) => {
      const message = incoming as IncomingMessage;
      const facts = factsOf.get(message) ?? begin(message);
      const application = findApplication(hostOf(message) ?? '');
      if (application === undefined) throw new Error('a request for another host came to our own doors');
      return application.fetch(request, {
        incoming: message,
        outgoing: outgoing as ServerResponse,
        facts,
      });
    },
    {
      // Its light Response keeps an answer as text; a web one costs a third of a small request.
      overrideGlobalObjects: true,
      errorHandler: () => refusal(publicError('bad_request')),
    },
  );

  const answerRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const started = performance.now();
    if (!isHttp2(request)) {
      // Behind the last answer of its connection: nothing could be answered any more.
      if (request.socket.writableEnded) {
        request.socket.destroy();
        return;
      }
      if (hasBody(request)) closeAfterBody(request);
    }
    const facts = begin(request);
    if (isClosing) response.shouldKeepAlive = false;
    response.on('close', () => {
      // It was begun before, when the connection was still to be kept.
      if (isClosing && !isHttp2(request)) request.socket.end();
      waitForUnreadBody(request, patience.unreadBody);
      if (response.statusCode < 500 && !logger.isDebug) return;
      const path = (request.url ?? '').split('?', 1)[0];
      const fields = {
        reference: facts.reference,
        method: request.method,
        host: hostOf(request),
        path,
        status: response.statusCode,
        milliseconds: Math.round(performance.now() - started),
      };
      if (response.statusCode >= 500) logger.warn('request', fields);
      else logger.debug('request', fields);
    });
    const url = request.url ?? '';
    if (url.length > addressLimitCharacters) {
      refuse(response, publicError('uri_too_long'), facts);
      return;
    }
    const fault = framingFault(request);
    if (fault !== undefined) {
      refuse(response, publicError('bad_request', { description: fault }), facts);
      return;
    }
    const application = findApplication(hostOf(request) ?? '');
    if (application === undefined) {
      gateway.request(request, response, facts);
      return;
    }
    response.setHeader(requestIdHeader, facts.reference);
    const question = url.indexOf('?');
    const path = question === -1 ? url : url.slice(0, question);
    const direct = application.findDirect(path, request.method ?? '');
    if (direct !== undefined) {
      answerDirectly(direct, { request, response, facts }, application).then(
        () => waitUntilTaken(response, patience.untakenAnswer),
        (failure: unknown) => {
          // An answer that Node does not send, such as one with a line feed in a header.
          application.logFailure(failure, facts.reference);
          response.destroy();
        },
      );
      return;
    }
    if (!url.startsWith('/')) {
      refuse(
        response,
        publicError('bad_request', { description: 'The request target is not a path.' }),
        facts,
      );
      return;
    }
    factsOf.set(request, facts);
    void answerDoors(request, response).then(() => waitUntilTaken(response, patience.untakenAnswer));
  };
  // What may stand once is not taken from the first of two: joined, they are neither.
  const options = {
    maxHeaderSize: headerLimitBytes,
    headersTimeout: patience.head,
    // Long uploads go on for as long as they move; what reads a body looks after that.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(patience.head, connectionsCheckingInterval),
    joinDuplicateHeaders: true,
  };
  const certificates =
    needs.certificates === undefined || needs.certificates.length === 0
      ? undefined
      : createCertificates(needs.certificates, logger);
  const secure =
    certificates === undefined
      ? undefined
      : createSecureServer(options, certificates, answerRequest, patience.idleSession);
  const server = secure?.server ?? createServer(options, answerRequest);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (findApplication(request.headers.host ?? '') === undefined) {
      gateway.upgrade(request, socket, head, begin(request));
      return;
    }
    endSocket(socket, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (needs.socketPath !== undefined) listenForOwnerAndGroup(server, needs.socketPath, resolve);
    else server.listen(needs.port, needs.host, resolve);
  });
  const address = server.address() as AddressInfo | string;

  return {
    host: needs.host,
    port: typeof address === 'string' ? 0 : address.port,
    async close() {
      isClosing = true;
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      secure?.closeSessions();
      const cut = setTimeout(() => {
        server.closeAllConnections();
        secure?.destroySessions();
      }, needs.drainMilliseconds ?? 10_000);
      await closed;
      clearTimeout(cut);
      certificates?.stop();
    },
  };
}

function refusal(error: Error): Response {
  const answer = answerOf(error);
  return Response.json(
    { code: answer.code, title: answer.title, detail: answer.description, mend: answer.mend },
    { status: answer.status, headers: { 'cache-control': 'no-store', connection: 'close' } },
  );
}

async function send(response: ServerResponse, refused: Response, reference: string): Promise<void> {
  const body = (await refused.json()) as object;
  if (isHttp2(response.req)) refused.headers.delete('connection');
  response.writeHead(refused.status, Object.fromEntries(refused.headers));
  response.end(JSON.stringify({ ...body, reference }));
}

/** What Node's parser lets pass although two readers could understand it differently (RFC 9112 section 3.2). */
function framingFault(request: IncomingMessage): string | undefined {
  // HTTP/2 has no request line, and its frames say themselves where a request ends.
  if (isHttp2(request)) return doubledHeader(request.rawHeaders);
  if (request.httpVersionMajor !== 1) return 'The request line has no version of HTTP/1.';
  const { rawHeaders } = request;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts > 1 ? 'The request names more than one host.' : undefined;
}

/** By the umask, since Node makes the socket at once: a mode that is set afterwards comes too late for the first caller. */
function listenForOwnerAndGroup(server: Server, path: string, listening: () => void): void {
  const before = process.umask(0o117);
  try {
    server.listen(path, listening);
  } finally {
    process.umask(before);
  }
}

/** Of these Node takes the first in HTTP/2, and another reader might take the last. In HTTP/1.1 they are joined. */
const single = new Set(['authorization', 'content-type', 'host']);

function doubledHeader(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!single.has(name)) continue;
    if (seen.has(name)) return `The header ${name} was received twice.`;
    seen.add(name);
  }
  return undefined;
}
