import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactSign, exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';

/** A CI service: a real HTTP server with discovery, a key set and tokens for its jobs. */
export async function startCiService() {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'ci-1', alg: 'RS256', use: 'sig' };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const body = request.url?.endsWith('/openid-configuration')
      ? { issuer, jwks_uri: `${issuer}/jwks` }
      : { keys: [jwk] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    asked,
    sign: (claims: Record<string, unknown> = {}, key: CryptoKey = privateKey, header = {}) =>
      new SignJWT({ iss: issuer, aud: 'tessera', sub: 'repo:acme/shop:ref:refs/heads/main', ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'ci-1', typ: 'JWT', ...header })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key),
    signText: (payload: string) =>
      new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: 'RS256', kid: 'ci-1', typ: 'JWT' })
        .sign(privateKey),
    close: () => server.close(),
  };
}
