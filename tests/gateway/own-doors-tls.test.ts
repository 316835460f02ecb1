import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { createCertificate } from '../harness/certificate.ts';
import { findFreePort } from '../harness/free-port.ts';
import { startTessera } from '../harness/start-tessera.ts';

test('the pages and the API of an instance are there over HTTP/2', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-tls-'));
  const { certificate, key } = createCertificate(['id.example.com']);
  writeFileSync(join(folder, 'id.pem'), certificate);
  writeFileSync(join(folder, 'id.key'), key);
  const port = await findFreePort();
  const origin = `https://id.example.com:${port}`;
  const tessera = await startTessera('sqlite', {
    variables: {
      TESSERA_PUBLIC_URL: origin,
      TESSERA_LISTEN: `127.0.0.1:${port}`,
      TESSERA_DEPLOYMENT_DOMAIN: 'example.app',
      TESSERA_TLS_CERTIFICATES: `${join(folder, 'id.pem')}:${join(folder, 'id.key')}`,
    },
  });
  const session = connectHttp2(origin, {
    createConnection: () =>
      connectTls({
        port,
        host: '127.0.0.1',
        servername: 'id.example.com',
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      }),
  });
  const ask = (headers: OutgoingHttpHeaders, body = '') =>
    new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === '' });
      const answer = { status: 0, headers: {}, text: '' };
      stream.on('response', (received) => {
        answer.status = Number(received[':status']);
        answer.headers = received;
      });
      stream.on('data', (chunk: Buffer) => {
        answer.text += chunk.toString();
      });
      stream.once('error', reject);
      stream.once('close', () => resolve(answer));
      if (body !== '') stream.end(body);
    });
  try {
    const discovery = await ask({ ':path': '/.well-known/openid-configuration' });
    expect(discovery.status, discovery.text).toBe(200);
    expect(JSON.parse(discovery.text)).toMatchObject({ issuer: origin });
    const login = await ask({ ':path': '/login', accept: 'text/html' });
    expect(login.text).toContain('id="login"');
    expect(login.headers['strict-transport-security']).toBeDefined();
    const token = await ask(
      {
        ':method': 'POST',
        ':path': '/api/login/oauth/token',
        'content-type': 'application/x-www-form-urlencoded',
      },
      'grant_type=authorization_code&code=x&client_id=cl_x',
    );
    expect(token.status, token.text).toBe(401);
    expect(JSON.parse(token.text)).toMatchObject({ error: 'invalid_client' });
    const tooLong = await ask({ ':path': `/${'a'.repeat(9_000)}` });
    expect(tooLong.status).toBe(414);
  } finally {
    session.destroy();
    await tessera.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
