import autocannon, { type Result } from 'autocannon';
import { percentile, type Measurement } from '../figure.ts';
import type { Load } from './load.ts';

// The process that makes the load: neither side pays for it. Reads a `Load` from its argument, prints a `Measurement`.
const load = JSON.parse(process.argv[2] ?? '') as Load;
const { seconds, ...request } = load;
const times: number[] = [];
const statuses = new Map<number, number>();

const begun = performance.now();
const { errors, timeouts } = await new Promise<Result>((resolve, reject) => {
  const run = autocannon({ ...request, duration: seconds }, (error: Error | null, result) => {
    if (error === null) resolve(result);
    else reject(error);
  });
  run.on('response', (_client, status, _bytes, milliseconds) => {
    times.push(milliseconds);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  });
});
const elapsed = performance.now() - begun;

if (errors > 0 || timeouts > 0 || statuses.size !== 1 || !statuses.has(200)) {
  const seen = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
  throw new Error(`${request.url} did not answer 200 alone: ${seen || 'no answer'}, ${errors} errors`);
}
times.sort((one, other) => one - other);
const measurement: Measurement = {
  perSecond: (times.length / elapsed) * 1000,
  p50: percentile(times, 0.5),
  p99: percentile(times, 0.99),
};
console.log(JSON.stringify(measurement));
