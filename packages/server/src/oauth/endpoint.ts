import { publicError } from '#errors';
import { oauthAnswer, readableByAnyOrigin, type DirectRoute, type Door, type DoorContext } from '#http';

/**
 * An endpoint of the authorization server. It declares its own members of the metadata document (RFC 8414), so the
 * document can promise only what is served.
 */
export type Endpoint = {
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What programs call, many times a second. */
  readonly routes?: readonly DirectRoute[];
  mount?(door: Door): void;
};

/**
 * Lets scripts of any site read the document at a path, errors included: it is the same for everybody.
 */
export function mountForAnyOrigin(
  door: Door,
  path: string,
  answer: (context: DoorContext) => Promise<Response>,
): void {
  const headers = Object.entries(readableByAnyOrigin);
  door.get(path, async (context) => {
    for (const [name, value] of headers) context.header(name, value);
    try {
      return await answer(context);
    } catch (error) {
      context.set('failure', error);
      const refused = oauthAnswer(error, context);
      for (const [name, value] of headers) refused.headers.set(name, value);
      return refused;
    }
  });
  door.options(path, (context) =>
    context.body(null, 204, {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, OPTIONS',
      'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
      'access-control-max-age': '86400',
      allow: 'GET, OPTIONS',
    }),
  );
}

/** The router gives HEAD to whoever takes GET; here a GET does something. */
export function refuseHead(context: DoorContext): void {
  if (context.req.method !== 'HEAD') return;
  throw publicError('method_not_allowed', { headers: { allow: 'GET, POST' } });
}
