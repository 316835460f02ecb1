import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { percentile, type Measurement } from '../figure.ts';

// The comparison: the RSA-2048 signatures (RS256) that all cores of this machine can make when they do nothing else.
// Signs for as many seconds as it is asked for, and answers with a `Measurement`.
const [port = ''] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const message = randomBytes(600);

function signOnce(): Promise<void> {
  return new Promise((resolve, reject) => {
    sign('sha256', message, privateKey, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

async function measure(seconds: number): Promise<Measurement> {
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const times: number[] = [];
  const signAll = async (): Promise<void> => {
    while (performance.now() < until) {
      const asked = performance.now();
      await signOnce();
      times.push(performance.now() - asked);
    }
  };
  // One more than there are cores, so that none waits for this thread.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, signAll));
  const elapsed = performance.now() - begun;
  times.sort((one, other) => one - other);
  return {
    perSecond: (times.length / elapsed) * 1000,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
}

const server = createServer((request, response) => {
  const seconds = new URL(request.url ?? '', 'http://localhost').searchParams.get('seconds');
  void measure(Number(seconds)).then((measurement) => response.end(JSON.stringify(measurement)));
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening');
});
process.once('SIGTERM', () => process.exit(0));
