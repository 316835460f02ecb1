import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, Hono } from 'hono';

/** What the listener knows of a request before any door does. */
export type RequestFacts = {
  /** Names this request; also in the answer's request-id header. */
  reference: string;
  /** The visitor's address, from the socket or from a configured proxy. */
  clientAddress: string;
};

export type DoorEnv = {
  Bindings: {
    /** Node's own request and answer; absent where an application is called without a listener. */
    incoming?: IncomingMessage;
    outgoing?: ServerResponse;
    facts: RequestFacts;
  };
  Variables: RequestFacts & {
    /** What a door answered with an error, for the log line of the request. */
    failure?: unknown;
    /** The answer belongs to a popup, which a page of ours must not part from the window that opened it. */
    keepsOpener?: boolean;
  };
};

export type DoorContext = Context<DoorEnv>;
export type Door = Hono<DoorEnv>;

/** Turns an error into an answer in the shape that a door's callers expect. */
export type ErrorAnswer = (error: unknown, context: DoorContext) => Response | Promise<Response>;
