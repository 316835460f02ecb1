import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createSendCheck } from './send-check.ts';

test('names below localhost, and addresses of IPv6, are asked at this machine', async () => {
  const server = createServer((request, response) => response.end(request.headers.host)).listen(
    0,
    'localhost',
  );
  await once(server, 'listening');
  const { port, address, family } = server.address() as AddressInfo;
  try {
    const send = createSendCheck();
    const urls = [`http://docs.app.localhost:${port}/`];
    if (family === 'IPv6') urls.push(`http://[${address}]:${port}/`);
    for (const url of urls) {
      const { host } = new URL(url);
      expect(await send({ url, headers: [] })).toMatchObject({ status: 200, text: host });
    }
  } finally {
    server.close();
  }
});
