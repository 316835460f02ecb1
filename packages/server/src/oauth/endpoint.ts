import { publicError } from '#errors';
import { oauthAnswer, type Door, type DoorContext } from '#http';

/**
 * An endpoint of the authorization server. It declares its own members of the metadata document (RFC 8414), so the
 * document can promise only what is served.
 */
export type Endpoint = {
  readonly metadata: Readonly<Record<string, unknown>>;
  mount(door: Door): void;
};

const exposed = 'WWW-Authenticate, DPoP-Nonce';

/**
 * Lets scripts of any site read the answers of a path, errors included: nothing there rests on a cookie, so a
 * script gets no more than a program would.
 */
export function mountForAnyOrigin(
  door: Door,
  path: string,
  methods: Partial<Record<'GET' | 'POST', (context: DoorContext) => Promise<Response>>>,
): void {
  for (const [method, answer] of Object.entries(methods)) {
    door.on(method, path, async (context) => {
      // Before the answer is made, so that it is made once.
      context.header('access-control-allow-origin', '*');
      context.header('access-control-expose-headers', exposed);
      try {
        return await answer(context);
      } catch (error) {
        context.set('failure', error);
        const refused = oauthAnswer(error, context);
        refused.headers.set('access-control-allow-origin', '*');
        refused.headers.set('access-control-expose-headers', exposed);
        return refused;
      }
    });
  }
  door.options(path, (context) =>
    context.body(null, 204, {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': [...Object.keys(methods), 'OPTIONS'].join(', '),
      'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
      'access-control-max-age': '86400',
      allow: [...Object.keys(methods), 'OPTIONS'].join(', '),
    }),
  );
}

/** The router gives HEAD to whoever takes GET; here a GET does something. */
export function refuseHead(context: DoorContext): void {
  if (context.req.method !== 'HEAD') return;
  throw publicError('method_not_allowed', { headers: { allow: 'GET, POST' } });
}
