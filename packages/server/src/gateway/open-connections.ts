import type { OpenSocket } from './upstream/upgrade.ts';

type Connection = Pick<OpenSocket, 'cut' | 'goAway' | 'onceClosed'>;

type Held = { connections: Set<Connection>; seenAt: number; isAsked: boolean };

const tickMilliseconds = 1_000;
const goodbyeMilliseconds = 1_000;
/** How old what is known of a session may be before it is asked again. */
const askMilliseconds = 2_000;
/** Without an answer of the database for so long, a session is not trusted any further. */
const trustMilliseconds = 5_000;

/**
 * The upgraded connections, which no request passes any more. Those that rest on a session or a bypass are cut when it ends, or
 * when nobody could say for five seconds that it goes on: all sessions that hold one are looked up every two.
 */
export function createOpenConnections(permits: { findLive(id: string): Promise<object | undefined> }) {
  const all = new Set<Connection>();
  const bySession = new Map<string, Held>();
  let timer: NodeJS.Timeout | undefined;

  function cut(held: Held): void {
    for (const connection of held.connections) connection.cut();
  }

  async function ask(sessionId: string, held: Held): Promise<void> {
    const askedAt = performance.now();
    held.isAsked = true;
    try {
      // An answer is as old as its question.
      if ((await permits.findLive(sessionId)) === undefined) cut(held);
      else held.seenAt = askedAt;
    } catch {
      // Asked again at the next tick, for as long as the session is trusted.
    } finally {
      held.isAsked = false;
    }
  }

  function look(): void {
    for (const [sessionId, held] of bySession) {
      const age = performance.now() - held.seenAt;
      // The next tick would be too late.
      if (age + tickMilliseconds > trustMilliseconds) cut(held);
      else if (age >= askMilliseconds && !held.isAsked) void ask(sessionId, held);
    }
  }

  return {
    add(connection: Connection, sessionId: string | undefined): void {
      all.add(connection);
      connection.onceClosed(() => all.delete(connection));
      if (sessionId === undefined) return;
      const held = bySession.get(sessionId) ?? {
        connections: new Set<Connection>(),
        seenAt: performance.now(),
        isAsked: false,
      };
      bySession.set(sessionId, held);
      held.connections.add(connection);
      timer ??= setInterval(look, tickMilliseconds).unref();
      connection.onceClosed(() => {
        held.connections.delete(connection);
        if (held.connections.size === 0) bySession.delete(sessionId);
        if (bySession.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
    },

    /** Says goodbye to all; whoever does not go within a second is cut. */
    async close(): Promise<void> {
      clearInterval(timer);
      if (all.size === 0) return;
      const gone = Promise.all(
        [...all].map((connection) => new Promise<void>((resolve) => connection.onceClosed(resolve))),
      );
      for (const connection of all) connection.goAway();
      const cut = setTimeout(() => {
        for (const connection of all) connection.cut();
      }, goodbyeMilliseconds);
      await gone;
      clearTimeout(cut);
    },
  };
}
