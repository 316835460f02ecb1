import { createServer, request as requestHttp } from 'node:http';
import type { RunningTessera } from '../harness/start-tessera.ts';
import { findFreePort } from '../harness/free-port.ts';
import { runTessera } from '../harness/run-tessera.ts';
import { listen } from '../../examples/listen.ts';

export type BalancedNodes = {
  /** Where the balancer answers: every second request is the second node's. */
  url: string;
  /** How many requests each node got. */
  counts: [number, number];
  close(): Promise<void>;
};

/** A second node on the same database, and a balancer before both that asks them in turn. */
export async function startSecondNode({ environment }: RunningTessera): Promise<BalancedNodes> {
  const second = await findFreePort();
  const node = await runTessera({
    ...environment.variables,
    TESSERA_LISTEN: `127.0.0.1:${second}`,
    TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${await findFreePort()}`,
  });
  const ports = [environment.port, second] as const;
  const counts: [number, number] = [0, 0];
  let asked = 0;
  const balancer = await listen(
    createServer((request, response) => {
      const turn = asked++ % 2 === 0 ? 0 : 1;
      counts[turn]++;
      const onward = requestHttp(
        {
          host: '127.0.0.1',
          port: ports[turn],
          method: request.method,
          path: request.url,
          // As an operator's balancer does it: the name is the public one.
          headers: { ...request.headers, host: `localhost:${environment.port}` },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
          answer.pipe(response);
        },
      );
      onward.once('error', () => response.destroy());
      request.pipe(onward);
    }),
    0,
  );
  return {
    url: balancer.url,
    counts,
    async close() {
      await balancer.close();
      await node.close();
    },
  };
}
