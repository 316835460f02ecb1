import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Running = {
  /** `http://localhost:PORT`. */
  url: string;
  close(): Promise<void>;
};

/** Listens on loopback; port 0 takes a free one. */
export async function listen(server: Server, port: number): Promise<Running> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The value of an environment variable that a program cannot do without. */
export function requireEnvironment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name} (see README.md beside this program)`);
  return value;
}
