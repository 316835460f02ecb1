import type { App } from '#apps';
import { publicError } from '#errors';
import { isPushedRequestUri, type PushedRequest, type PushedRequests } from '#requests';

/** The pushed request that a `request_uri` names; undefined when there is none. Throws a page's error. */
export type FindPushedRequest = (
  sent: ReadonlyMap<string, string>,
  app: App,
) => Promise<PushedRequest | undefined>;

/**
 * RFC 9126, 4: a reference of ours, of this very client, fresh and unused. Any other `request_uri` is an address,
 * which is never fetched: it is refused with the parameters.
 */
export function createFindPushedRequest(pushedRequests: Pick<PushedRequests, 'find'>): FindPushedRequest {
  return async (sent, app) => {
    const requestUri = sent.get('request_uri');
    if (requestUri === undefined || !isPushedRequestUri(requestUri)) return undefined;
    const pushed = await pushedRequests.find(requestUri);
    if (pushed?.clientId === app.id && pushed.state === 'live') return pushed;
    throw publicError('authorization_request_gone', {
      description:
        pushed?.clientId !== app.id
          ? "Parameter 'request_uri'. This app pushed no such request."
          : pushed.state === 'used'
            ? "Parameter 'request_uri'. The request was answered before: each counts once."
            : "Parameter 'request_uri'. The request was pushed too long ago.",
    });
  };
}
