import type { IncomingHttpHeaders } from 'node:http';
import type { HeaderList } from './headers.ts';

/**
 * A request as somebody sent it, before anything is read into it: to this listener by HTTP/1.1 or HTTP/2, or to a
 * front proxy that asks what to do with it. Node's own request is one.
 */
export type SentRequest = {
  readonly method?: string | undefined;
  /** The request target, byte for byte. */
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: HeaderList;
  readonly headers: IncomingHttpHeaders;
};
