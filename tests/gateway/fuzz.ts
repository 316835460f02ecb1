import type { createArrivalCheck } from './arrivals.ts';
import type { GatewayWorld } from './gateway-world.ts';

/** After so many faults there is enough to look at. */
const mostFaults = 5;

/**
 * Sends again and again, on so many connections at once. `sendOne` says what is wrong with an answer, and of which
 * request; `findFaultOfArrival` is asked about all that reaches the upstream. Resolves to the faults, with what led to
 * them, and to how many requests arrived.
 */
export async function fuzz(
  { upstream }: Pick<GatewayWorld, 'upstream'>,
  { count, connections }: { count: number; connections: number },
  findFaultOfArrival: ReturnType<typeof createArrivalCheck>,
  sendOne: () => Promise<{ fault: string | undefined; sent: () => string }>,
): Promise<{ faults: string[]; arrived: number }> {
  const faults: string[] = [];
  let [begun, arrived] = [0, 0];
  const work = async (): Promise<void> => {
    while (begun < count && faults.length < mostFaults) {
      begun++;
      const { fault, sent } = await sendOne();
      if (fault !== undefined) faults.push(`${fault}\n${sent()}`);
      for (const echo of upstream.received.splice(0)) {
        arrived++;
        const wrong = findFaultOfArrival(echo);
        if (wrong !== undefined) faults.push(`${wrong}\n${JSON.stringify(echo)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { faults, arrived };
}
