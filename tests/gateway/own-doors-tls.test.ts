import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCertificate } from '../harness/certificate.ts';
import { findFreePort } from '../harness/free-port.ts';
import { openHttp2 } from '../harness/http2.ts';
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
  const { ask, close } = openHttp2(origin);
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
    close();
    await tessera.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
