import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../../tests/harness/send.ts';
import { median, type Comparison, type Figure } from '../figure.ts';
import { memoryMb } from '../process.ts';
import { startEmpty, stopAndForget } from '../tessera.ts';

const rounds = 5;
const budgetMilliseconds = 600;
const budgetMb = 120;
const idleMilliseconds = 3_000;

/** From the start of the process on an empty folder to its first answer, and the memory it has when left alone. */
export const start: Figure = async (say) => {
  const times: number[] = [];
  const memories: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const begun = performance.now();
    const { server, urls, folder } = await startEmpty();
    const answer = await send(`${urls.origin}/.well-known/openid-configuration`);
    times.push(performance.now() - begun);
    if (answer.status !== 200) throw new Error(`the first answer was ${answer.status}: ${answer.text}`);
    await delay(idleMilliseconds);
    memories.push(memoryMb(server.child, 'VmRSS'));
    await stopAndForget(server, folder);
    say(`round ${round}: ${times.at(-1)?.toFixed(0)} ms, ${memories.at(-1)?.toFixed(0)} MiB`);
  }
  const [milliseconds, memory] = [median(times), median(memories)];
  const ours = {
    name: 'tessera, empty folder',
    perSecond: 1000 / milliseconds,
    p50: milliseconds,
    p99: Math.max(...times),
    peakMemoryMb: memory,
  };
  const budget = (name: string, ratio: number): Comparison => ({
    name,
    perSecond: Number.NaN,
    p50: Number.NaN,
    p99: Number.NaN,
    peakMemoryMb: Number.NaN,
    ratio,
    atLeast: 1,
  });
  const against = [
    {
      ...budget(`first answer within ${budgetMilliseconds} ms`, budgetMilliseconds / milliseconds),
      perSecond: 1000 / budgetMilliseconds,
    },
    { ...budget(`at rest within ${budgetMb} MB`, budgetMb / memory), peakMemoryMb: budgetMb },
  ];
  return { bench: 'start', rounds, ours, against };
};
