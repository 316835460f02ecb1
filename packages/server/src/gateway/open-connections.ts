import { createQueue } from './queue.ts';
import type { Standing } from './standing.ts';
import type { OpenSocket } from './upstream/upgrade.ts';

type Connection = Pick<OpenSocket, 'cut' | 'goAway' | 'onceClosed'>;
/** An answer that is on its way. */
type Stream = { destroy(): unknown };
type Watched = {
  readonly stream: Stream;
  readonly since: number;
  readonly standingOf: () => Standing;
  /** Once it has taken so long that it is asked about. */
  leave: (() => void) | undefined;
};

type Held = { standing: Standing; cuts: Set<() => void>; seenAt: number; isAsked: boolean };

const tickMilliseconds = 1_000;
const goodbyeMilliseconds = 1_000;
/** How old what is known of a connection's standing may be before it is asked again. */
const askMilliseconds = 2_000;
/** Without an answer for so long, it is not trusted any further. */
const trustMilliseconds = 5_000;

/**
 * What goes on after its request was decided about: upgraded connections, and answers that take long. They are cut
 * when what let them pass is over, or when nobody could say for five seconds that it is not: it is asked every two.
 */
export function createOpenConnections() {
  const sockets = new Set<Connection>();
  /** Answers that have just begun: most are over before anybody has to ask. */
  const young = createQueue<Watched>();
  const byKey = new Map<string, Held>();
  let timer: NodeJS.Timeout | undefined;

  function cut(held: Held): void {
    for (const each of held.cuts) each();
  }

  async function ask(held: Held): Promise<void> {
    const askedAt = performance.now();
    held.isAsked = true;
    try {
      // An answer is as old as its question.
      if (await held.standing.stands()) held.seenAt = askedAt;
      else cut(held);
    } catch {
      // Asked again at the next tick, for as long as what was said last is trusted.
    } finally {
      held.isAsked = false;
    }
  }

  /** Until what it returns is called. */
  function hold(cutOne: () => void, standing: Standing, seenAt: number): () => void {
    const held = byKey.get(standing.key) ?? {
      standing,
      cuts: new Set<() => void>(),
      seenAt,
      isAsked: false,
    };
    byKey.set(standing.key, held);
    held.cuts.add(cutOne);
    return () => {
      held.cuts.delete(cutOne);
      if (held.cuts.size === 0 && byKey.get(standing.key) === held) byKey.delete(standing.key);
    };
  }

  function look(): void {
    const now = performance.now();
    for (let oldest = young.first(); oldest !== undefined; oldest = young.first()) {
      const { value: watched } = oldest;
      if (now - watched.since < askMilliseconds) break;
      young.leave(oldest);
      watched.leave = hold(() => watched.stream.destroy(), watched.standingOf(), watched.since);
    }
    for (const held of byKey.values()) {
      const age = now - held.seenAt;
      // The next tick would be too late.
      if (age + tickMilliseconds > trustMilliseconds) cut(held);
      else if (age >= askMilliseconds && !held.isAsked) void ask(held);
    }
    if (young.first() !== undefined || byKey.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  const keepLooking = (): void => {
    timer ??= setInterval(look, tickMilliseconds).unref();
  };

  return {
    /** `seenAt`: when it was last known to stand. */
    add(connection: Connection, standing: Standing, seenAt = performance.now()): void {
      keepLooking();
      sockets.add(connection);
      const leave = hold(() => connection.cut(), standing, seenAt);
      connection.onceClosed(() => {
        sockets.delete(connection);
        leave();
      });
    },

    /** An answer that is being sent, until what this returns is called. Its standing is made only if it takes long. */
    watch(stream: Stream, standingOf: () => Standing): () => void {
      keepLooking();
      const watched: Watched = { stream, since: performance.now(), standingOf, leave: undefined };
      const place = young.join(watched);
      return () => {
        if (watched.leave === undefined) young.leave(place);
        else watched.leave();
      };
    },

    /** Says goodbye to all upgraded connections; whoever does not go within a second is cut. */
    async close(): Promise<void> {
      clearInterval(timer);
      if (sockets.size === 0) return;
      const gone = Promise.all(
        [...sockets].map((socket) => new Promise<void>((resolve) => socket.onceClosed(resolve))),
      );
      for (const socket of sockets) socket.goAway();
      const cutAll = setTimeout(() => {
        for (const socket of sockets) socket.cut();
      }, goodbyeMilliseconds);
      await gone;
      clearTimeout(cutAll);
    },
  };
}
