import { text } from 'node:stream/consumers';
import autocannon, { type Options, type Request, type Result } from 'autocannon';
import { percentile, type Measurement } from '../figure.ts';
import type { Load, Variant } from './load.ts';

// The process that makes the load: neither side pays for it. Reads a `Load` from its standard input, prints a `Measurement`.
const load = JSON.parse(await text(process.stdin)) as Load;
const times: number[] = [];
const statuses = new Map<number, number>();

const begun = performance.now();
let answeredLast = begun;
const { errors, timeouts } = await new Promise<Result>((resolve, reject) => {
  const run = autocannon(optionsOf(load), (error: Error | null, result) => {
    if (error === null) resolve(result);
    else reject(error);
  });
  run.on('response', (_client, status, _bytes, milliseconds) => {
    // It looks only once a second whether all is answered.
    answeredLast = performance.now();
    times.push(milliseconds);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  });
});
const elapsed = answeredLast - begun;

if (errors > 0 || timeouts > 0 || statuses.size !== 1 || !statuses.has(200)) {
  const seen = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
  throw new Error(`${load.url} did not answer 200 alone: ${seen || 'no answer'}, ${errors} errors`);
}
times.sort((one, other) => one - other);
const measurement: Measurement = {
  perSecond: (times.length / elapsed) * 1000,
  p50: percentile(times, 0.5),
  p99: percentile(times, 0.99),
};
console.log(JSON.stringify(measurement));

function optionsOf({ seconds, bodies, refreshTokens, variants, eachVariantOnce, ...request }: Load): Options {
  if (bodies !== undefined) {
    return { ...request, amount: bodies.length, requests: [takingFrom([...bodies])] };
  }
  if (variants !== undefined && eachVariantOnce === true) {
    const waiting = [...variants];
    return { ...request, amount: waiting.length, requests: [varying(() => waiting.pop())] };
  }
  if (variants !== undefined) {
    const any = () => variants[Math.floor(Math.random() * variants.length)];
    return { ...request, duration: seconds, requests: [varying(any)] };
  }
  if (refreshTokens === undefined) return { ...request, duration: seconds };
  const waiting = refreshTokens.map(refreshBody);
  const onResponse = (_status: number, body: string) => {
    const { refresh_token: next } = JSON.parse(body) as { refresh_token?: string };
    if (next !== undefined) waiting.push(refreshBody(next));
  };
  // A connection asks again when it was answered, and so takes what that answer brought.
  return { ...request, duration: seconds, requests: [{ ...takingFrom(waiting), onResponse }] };
}

function varying(take: () => Variant | undefined): Request {
  return {
    setupRequest: (request) => {
      const { headers, body = request.body } = take() ?? {};
      return {
        ...request,
        headers: { ...request.headers, ...headers },
        ...(body === undefined ? {} : { body }),
      };
    },
  };
}

function takingFrom(waiting: string[]): Request {
  return { setupRequest: (request) => ({ ...request, body: waiting.pop() ?? '' }) };
}

function refreshBody(refreshToken: string): string {
  return new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }).toString();
}
