import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Comparison, Figure, FigureResult, Measurement } from '../figure.ts';
import { setUpOpenDeployment } from '../open-deployment.ts';
import { startBareProxy, startUpstream } from '../others.ts';
import { forgetPeak, memoryMb, type ServerProcess } from '../process.ts';
import { measureSides, type Side } from '../rounds.ts';
import { startSetUp } from '../tessera.ts';

const gibibyte = 1024 ** 3;
const extraMb = 64;
const load = new URL('../stream-load/main.ts', import.meta.url).pathname;

/**
 * A gibibyte down, a gibibyte up, and a hundred WebSockets with a frame under way each, against the barest proxy. The
 * memory is what each process had at its most beyond what it had before: Node's own buffers are in both.
 */
export const gatewayStream: Figure = async (say) => {
  const upstream = await startUpstream();
  const bare = await startBareProxy(upstream.url);
  try {
    const { urls, server, made } = await startSetUp(say, (base, link) =>
      setUpOpenDeployment(base, link, upstream.url),
    );
    const grewOf = growthOf(server);
    const bareGrewOf = growthOf(bare.server);
    const sidesOf = (what: string, amount: number): [Side, Side] => [
      { name: 'Tessera', server, measure: () => measureStream(what, urls.origin, made.host, amount) },
      {
        name: 'node:http and undici',
        server: bare.server,
        measure: () => measureStream(what, bare.url, made.host, amount),
      },
    ];
    const results: FigureResult[] = [];
    for (const [title, what, amount] of [
      ['1 GiB down, MiB', 'down', gibibyte],
      ['1 GiB up, MiB', 'up', gibibyte],
      ['100 WebSockets, frames', 'sockets', 100],
    ] as const) {
      const [ours, theirs] = sidesOf(what, amount);
      const result = await measureSides(`gateway-stream: ${title}`, ours, [{ ...theirs, atLeast: 0.9 }], say);
      results.push({ ...result, against: [...result.against, memoryOf(grewOf(), bareGrewOf())] });
    }
    await server.stop();
    return results;
  } finally {
    await Promise.all([upstream.server.stop(), bare.server.stop()]);
  }
};

/** How much more memory a process had at its most since this call than when it was made, in MiB. */
function growthOf({ child }: ServerProcess): () => number {
  forgetPeak(child);
  const before = memoryMb(child, 'VmRSS');
  return () => memoryMb(child, 'VmHWM') - before;
}

function memoryOf(grew: number, bareGrew: number): Comparison {
  const none = Number.NaN;
  return {
    name: `grew by ${Math.round(grew)} MiB, the other by ${Math.round(bareGrew)}; at most ${extraMb} more`,
    perSecond: none,
    p50: none,
    p99: none,
    peakMemoryMb: none,
    ratio: extraMb / Math.max(grew - bareGrew, 1),
    atLeast: 1,
  };
}

/** From a third process, which neither side pays for. */
async function measureStream(what: string, url: string, host: string, amount: number): Promise<Measurement> {
  const child = spawn(process.execPath, [load, what, url, host, String(amount)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`the load "${what}" on ${url} failed`);
  const { perSecond, p50, p99 } = JSON.parse(output) as {
    perSecond: number;
    p50: number | null;
    p99: number | null;
  };
  return { perSecond, p50: p50 ?? Number.NaN, p99: p99 ?? Number.NaN };
}
