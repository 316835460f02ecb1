import type { GatewayNeeds } from './needs.ts';

type Connection = { cut(): void; onceClosed(listener: () => void): void };

const lookMilliseconds = 5_000;
/** Without an answer of the database for so long, a session is not trusted any further. */
const trustMilliseconds = 15_000;

/**
 * The upgraded connections, which no request passes any more. Those of a visitor are cut when their session ends: all
 * sessions that hold one are looked up every five seconds.
 */
export function createOpenConnections(visitors: Pick<GatewayNeeds['visitors'], 'findLive'>) {
  const all = new Set<Connection>();
  const bySession = new Map<string, { connections: Set<Connection>; seenAt: number }>();
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    await Promise.all(
      [...bySession].map(async ([sessionId, held]) => {
        try {
          if ((await visitors.findLive(sessionId)) !== undefined) {
            held.seenAt = performance.now();
            return;
          }
        } catch {
          if (performance.now() - held.seenAt < trustMilliseconds) return;
        }
        for (const connection of held.connections) connection.cut();
      }),
    );
  }

  return {
    add(connection: Connection, sessionId: string | undefined): void {
      all.add(connection);
      connection.onceClosed(() => all.delete(connection));
      if (sessionId === undefined) return;
      const held = bySession.get(sessionId) ?? {
        connections: new Set<Connection>(),
        seenAt: performance.now(),
      };
      bySession.set(sessionId, held);
      held.connections.add(connection);
      timer ??= setInterval(() => void look(), lookMilliseconds).unref();
      connection.onceClosed(() => {
        held.connections.delete(connection);
        if (held.connections.size === 0) bySession.delete(sessionId);
        if (bySession.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
    },

    close(): void {
      clearInterval(timer);
      for (const connection of all) connection.cut();
    },
  };
}
