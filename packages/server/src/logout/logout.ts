import { createId, type IdTokenSigningAlgorithm } from '@tessera/protocol';
import type { App } from '#apps';
import type { Clock } from '#clock';
import type { Bound, Database, Expected } from '#database';
import { FetchFailure, type GuardedFetch } from '#fetch';
import type { Job, Jobs, Verdict } from '#jobs';
import type { Keys } from '#keys';
import {
  logoutEvent,
  logoutTokenLifetimeSeconds,
  logoutTokenType,
  pauseAfter,
  type LogoutDelivery,
} from './delivery.ts';
import { createDeliveryStore } from './delivery-store.ts';

export type LogoutNeeds = {
  database: Database;
  clock: Clock;
  jobs: Pick<Jobs, 'enqueue' | 'register'>;
  keys: Pick<Keys, 'sign'>;
  fetch: GuardedFetch;
  /** The origin. */
  issuer: string;
  findApp: (
    id: string,
  ) => Promise<Pick<App, 'id' | 'backchannelLogoutUri' | 'idTokenSignedResponseAlg'> | undefined>;
  endSession: (sid: string) => Bound<unknown>;
  /** Of the tokens room, which is on the same floor. */
  tokens: {
    endOfSession(sid: string): readonly Bound<unknown>[];
    listClientsOfSession(sid: string): Promise<string[]>;
  };
};

export type Logout = ReturnType<typeof createLogout>;

/** Work that follows the end of a session: to find out which apps are to be told. */
const tellKind = 'logout.tell-apps';
/** Work that tells one app. */
const deliverKind = 'logout.deliver';

type Ended = { sid: string; userId: string };

export function createLogout(needs: LogoutNeeds) {
  const { jobs, tokens } = needs;
  const store = createDeliveryStore(needs.database);

  /**
   * Which apps are told is found out after the session has ended: a code redeemed in the last moment is then there,
   * and none can be redeemed any more.
   */
  async function tellApps({ payload }: Job): Promise<Verdict> {
    const { sid, userId } = payload as Ended;
    const told = new Set(await store.listAppsOfSession(sid));
    const statements: (Bound<unknown> | Expected)[] = [];
    for (const clientId of await tokens.listClientsOfSession(sid)) {
      if (told.has(clientId)) continue;
      const app = await needs.findApp(clientId);
      if (app?.backchannelLogoutUri === undefined) continue;
      const id = createId('blo');
      statements.push(store.insert({ id, appId: app.id, userId, sid, uri: app.backchannelLogoutUri }));
      statements.push(jobs.enqueue(deliverKind, { id }));
    }
    return { statements };
  }

  async function deliver({ payload }: Job): Promise<Verdict> {
    const delivery = await store.find((payload as { id: string }).id);
    if (delivery === undefined || delivery.outcome !== 'waiting') return { statements: [] };
    const app = await needs.findApp(delivery.appId);
    const uri = app?.backchannelLogoutUri;
    if (app === undefined || uri === undefined) {
      const failure = 'The app has no back-channel logout URL any more';
      const { id } = delivery;
      return {
        statements: [
          store.record({
            id,
            uri: delivery.uri,
            outcome: 'failed',
            status: undefined,
            failure,
            pause: undefined,
          }),
        ],
      };
    }
    const answer = await post(uri, await signLogoutToken(delivery, app.idTokenSignedResponseAlg));
    const isDelivered = answer.failure === undefined;
    const pause = isDelivered ? undefined : pauseAfter(delivery.attempts + 1);
    const outcome = isDelivered ? 'delivered' : pause === undefined ? 'failed' : 'waiting';
    return {
      statements: [store.record({ id: delivery.id, uri, outcome, ...answer, pause })],
      ...(pause === undefined ? {} : { againInMilliseconds: pause }),
    };
  }

  /** OpenID Connect Back-Channel Logout 1.0, 2.4: never a `nonce`, so that it passes for no ID token. */
  function signLogoutToken(delivery: LogoutDelivery, algorithm: IdTokenSigningAlgorithm): Promise<string> {
    const now = Math.floor(needs.clock.now() / 1000);
    return needs.keys.sign({
      purpose: 'id-token',
      algorithm,
      type: logoutTokenType,
      claims: {
        iss: needs.issuer,
        sub: delivery.userId,
        aud: delivery.appId,
        iat: now,
        exp: now + logoutTokenLifetimeSeconds,
        jti: createId('jti'),
        events: { [logoutEvent]: {} },
        sid: delivery.sid,
      },
    });
  }

  /** Back-Channel Logout 1.0, 2.5 and 2.8. The fetcher follows no redirect and waits at most 5 s. */
  async function post(
    uri: string,
    logoutToken: string,
  ): Promise<{ status: number | undefined; failure: string | undefined }> {
    try {
      const { status } = await needs.fetch(uri, {
        method: 'POST',
        headers: { 'cache-control': 'no-store' },
        body: new URLSearchParams({ logout_token: logoutToken }),
      });
      // Frameworks that send 204 for an empty answer mean 200.
      const isDone = status === 200 || status === 204;
      return { status, failure: isDone ? undefined : `Received the status ${status}; expected 200` };
    } catch (error) {
      if (!(error instanceof FetchFailure)) throw error;
      return {
        status: undefined,
        failure: `Received ${error.received}; expected ${error.expected}. ${error.mend}`,
      };
    }
  }

  jobs.register(tellKind, tellApps);
  jobs.register(deliverKind, deliver);

  return {
    /** Ends a login session with all that hangs on it; for the unit of whoever ends it, with its audit record. */
    endSession: ({ id, userId }: { id: string; userId: string }): readonly Bound<unknown>[] => [
      needs.endSession(id),
      ...tokens.endOfSession(id),
      jobs.enqueue(tellKind, { sid: id, userId } satisfies Ended),
    ],

    listOfApp: store.listOfApp,
  };
}
