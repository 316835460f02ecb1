import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A TCP port on loopback that nobody listens on at this moment. It lies below those that systems give to outgoing
 * connections, so that none of them takes it before its listener does.
 */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(10_240, 32_768);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
