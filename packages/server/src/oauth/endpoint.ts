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

function setForAnyOrigin(set: (name: string, value: string) => void): void {
  set('access-control-allow-origin', '*');
  set('access-control-expose-headers', 'WWW-Authenticate, DPoP-Nonce');
}

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
      // Before the answer is made, so that it is made once, and on Node's own: set here on the web answer, they would
      // make it build a web `Headers`, which takes 5 µs.
      setForAnyOrigin((name, value) => {
        if (context.env.outgoing === undefined) context.header(name, value);
        else context.env.outgoing.setHeader(name, value);
      });
      try {
        return await answer(context);
      } catch (error) {
        context.set('failure', error);
        const refused = oauthAnswer(error, context);
        setForAnyOrigin((name, value) => refused.headers.set(name, value));
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
