import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as requestHttp, type RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from './authority.ts';
import { mapHosts } from './map-hosts.ts';

export type MappedHosts = {
  /** For a child process: its connections to these hosts come here, and it trusts their certificates. */
  environment: Record<string, string>;
  nodeArguments: readonly string[];
  close(): Promise<void>;
};

/**
 * Plays the internet for some hosts: names are looked up to loopback, port 443 is a proxy that ends TLS with a
 * certificate of a test authority and hands on to an instance by http, as an operator's own proxy would. In this
 * process, and in children that are started with `environment` and `nodeArguments`. No package is changed.
 */
export async function startMappedHosts(hosts: readonly string[], port: number): Promise<MappedHosts> {
  const authority = createAuthority(hosts);
  const folder = mkdtempSync(join(tmpdir(), 'tessera-authority-'));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, authority.certificate);
  const handOn: RequestListener = (request, response) => {
    const onward = requestHttp(
      { host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  };
  const server = createServer({ key: authority.serverKey, cert: authority.serverCertificate }, handOn);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const to = { hosts, port: (server.address() as AddressInfo).port };
  const unmap = mapHosts(to, authority.certificate);
  return {
    environment: { NODE_EXTRA_CA_CERTS: caFile, MAPPED_HOSTS: JSON.stringify(to) },
    nodeArguments: ['--import', join(import.meta.dirname, 'map-hosts-of-process.ts')],
    async close() {
      unmap();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
