import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { DpopProofRefused, verifyDpopProof } from './dpop.ts';

const now = 1_800_000_000_000;
const expected = { method: 'POST', url: 'https://api.example/token', now };
const encode = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');

test('whatever is sent is verified or refused, and nothing else is thrown', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const member = fc.oneof(fc.jsonValue(), fc.constant('dpop+jwt'), fc.constant('ES256'), fc.constant(jwk));
  const header = fc.record({ alg: member, typ: member, jwk: member }, { requiredKeys: [] });
  const claims = fc.record(
    {
      htm: fc.oneof(fc.jsonValue(), fc.constant('POST')),
      htu: fc.oneof(fc.jsonValue(), fc.webUrl(), fc.constant(expected.url)),
      iat: fc.oneof(fc.jsonValue(), fc.constant(now / 1000)),
      jti: fc.jsonValue(),
      nonce: fc.jsonValue(),
      exp: fc.jsonValue(),
      nbf: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const signed = fc.tuple(fc.constant(true), claims);
  const forged = fc.tuple(
    fc.constant(false),
    fc.oneof(
      fc.string(),
      fc
        .tuple(fc.oneof(header, fc.jsonValue()), fc.jsonValue())
        .map(([head, body]) => `${encode(head)}.${encode(body)}.c2ln`),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(signed, forged), async ([isSigned, made]) => {
      const proof = isSigned
        ? await new SignJWT(made as Record<string, unknown>)
            .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
            .sign(privateKey)
        : made;
      const outcome = await verifyDpopProof(proof, expected).catch((error: unknown) => error);
      if (outcome instanceof DpopProofRefused) return;
      // What gets through says what was asked for.
      const { jti, htm, iat } = made as Record<string, unknown>;
      expect(isSigned).toBe(true);
      expect(outcome).toMatchObject({ id: jti });
      expect([htm, iat]).toEqual(['POST', now / 1000]);
    }),
    { numRuns: 300 },
  );
});
