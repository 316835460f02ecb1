import { randomUUID } from 'node:crypto';
import { exportJWK } from 'jose';
import { expect } from 'vitest';
import type { Answer } from '../harness/send.ts';
import { createKey, errorOf, type DefineFapiModule, type Fapi, type ProofChanges } from './fapi2.ts';

/** DPoP (RFC 9449): proofs at the token endpoint and at userinfo, and codes that are bound to a key. */
export function defineProofModules(define: DefineFapiModule): void {
  define('check-dpop-proof-nbf-exp', async (fapi) => {
    const claims = () => ({ nbf: fapi.now(), exp: fapi.now() + 300 });
    const { tokens } = await fapi.signIn({}, { proof: { claims: claims() } });
    expect((await fapi.userinfo(tokens.access_token, { proof: { claims: claims() } })).status).toBe(200);
  });

  for (const [when, seconds] of [
    ['before', -10],
    ['after', 10],
  ] as const) {
    define(`ensure-dpopproof-with-iat-10seconds-${when}-succeeds`, async (fapi) => {
      const claims = () => ({ iat: fapi.now() + seconds });
      const { tokens } = await fapi.signIn({}, { proof: { claims: claims() } });
      expect((await fapi.userinfo(tokens.access_token, { proof: { claims: claims() } })).status).toBe(200);
    });
  }

  define('ensure-mismatched-dpop-jkt-fails', async (fapi) => {
    const { thumbprint } = await createKey();
    const { answer } = await fapi.push({ dpop_jkt: thumbprint }, { proof: {} });
    expect(answer.status).toBe(400);
    expect(['invalid_request', 'invalid_dpop_proof']).toContain(errorOf(answer));
  });

  define('ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt', async (fapi) => {
    const issued = await fapi.authorize({}, { proof: {} });
    expectProofRefused(await fapi.redeem(issued, { proof: { key: await createKey() } }));
  });

  define('ensure-token-endpoint-fails-with-mismatched-dpop-jkt', async (fapi) => {
    const issued = await fapi.authorize({ dpop_jkt: fapi.first.proofKey.thumbprint });
    expectProofRefused(await fapi.redeem(issued, { proof: { key: await createKey() } }));
  });

  define('ensure-dpopproof-at-par-endpoint-binding-success', async (fapi) => {
    const answer = await fapi.redeem(await fapi.authorize({}, { proof: {} }));
    expect(answer.status, answer.text).toBe(200);
  });

  define('ensure-dpop-auth-code-binding-success', async (fapi) => {
    const dpopJkt = fapi.first.proofKey.thumbprint;
    for (const proof of [{}, false] as const) {
      const answer = await fapi.redeem(await fapi.authorize({ dpop_jkt: dpopJkt }, { proof }));
      expect(answer.status, answer.text).toBe(200);
    }
  });

  define('ensure-holder-of-key-required', async (fapi) => {
    const answer = await fapi.redeem(await fapi.authorize(), { proof: false });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expectProofRefused(answer);
  });

  define('dpop-negative-tests', async (fapi) => {
    const { access_token: token } = (await fapi.signIn()).tokens;
    expect((await fapi.userinfo(token)).status).toBe(200);

    const refusedProofs = Object.entries(await wrongProofs(fapi));
    for (const [fault, proof] of refusedProofs)
      expectUnauthorized(await fapi.userinfo(token, { proof }), fault);

    const rewritten: Record<string, (proof: string) => string[]> = {
      'two proofs': (one) => [one, one],
      'not a JWT': (one) => [one.replaceAll('.', '')],
      'no signature': (one) => [`${one.slice(0, one.lastIndexOf('.'))}.`],
      'another signature': (one) => [`${one.slice(0, -8)}AAAAAAAA`],
      'algorithm none': (one) => [withHeader(one, { alg: 'none' })],
      'no algorithm': (one) => [withHeader(one, { alg: undefined })],
    };
    for (const [fault, rewrite] of Object.entries(rewritten)) {
      expectUnauthorized(await fapi.userinfo(token, { rewrite }), fault);
    }
    expectUnauthorized(await fapi.userinfo(token, { proof: false }), 'no proof');
    expectUnauthorized(await fapi.userinfo(token, { scheme: 'Bearer', proof: false }), 'as a bearer token');
    expectUnauthorized(await fapi.userinfo(token, { scheme: 'Bearer' }), 'as a bearer token with a proof');

    // What must not be refused: query and fragment of the address, members that nobody knows, an upper-case host.
    const { userinfo_endpoint: htu } = fapi.metadata;
    const accepted: Record<string, ProofChanges> = {
      'query and fragment': { claims: { htu: `${htu}?query=1#fragment` } },
      'unknown members': { claims: { extra: 'x', nonsense: [1] }, header: { extra: 'x' } },
      'upper-case host': { claims: { htu: htu.replace('http://localhost', 'HTTP://LOCALHOST') } },
    };
    for (const [what, proof] of Object.entries(accepted)) {
      const answer = await fapi.userinfo(token, { proof });
      expect(answer.status, `${what}: ${answer.text}`).toBe(200);
    }

    const jti = randomUUID();
    expect((await fapi.userinfo(token, { proof: { claims: { jti } } })).status).toBe(200);
    expectUnauthorized(await fapi.userinfo(token, { proof: { claims: { jti } } }), 'used before');
  });
}

async function wrongProofs(fapi: Fapi): Promise<Record<string, ProofChanges>> {
  const { userinfo_endpoint: htu } = fapi.metadata;
  const { proofKey } = fapi.first;
  const privateJwk = await exportJWK(proofKey.privateKey);
  return {
    'no typ': { header: { typ: undefined } },
    'another typ': { header: { typ: 'JWT' } },
    'no jwk': { header: { jwk: undefined } },
    'a private jwk': { header: { jwk: privateJwk } },
    'no jti': { claims: { jti: undefined } },
    'no htm': { claims: { htm: undefined } },
    'another htm': { claims: { htm: 'PUT' } },
    'no htu': { claims: { htu: undefined } },
    'another htu': { claims: { htu: `${htu}/other` } },
    'another host': { claims: { htu: htu.replace('localhost', 'other.example') } },
    'no iat': { claims: { iat: undefined } },
    'an hour ahead': { claims: { iat: fapi.now() + 3_600 } },
    'an hour old': { claims: { iat: fapi.now() - 3_600 } },
    'no ath': { claims: { ath: undefined } },
    'another ath': { claims: { ath: 'A'.repeat(43) } },
    'another key': { key: await createKey() },
    RS256: { key: await createKey('RS256') },
  };
}

function withHeader(proof: string, changes: Readonly<Record<string, unknown>>): string {
  const [header = '', ...rest] = proof.split('.');
  const members = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  const changed = JSON.stringify({ ...members, ...changes });
  return [Buffer.from(changed).toString('base64url'), ...rest].join('.');
}

function expectProofRefused(answer: Answer): void {
  expect(answer.status, answer.text).toBe(400);
  expect(['invalid_request', 'invalid_grant', 'invalid_dpop_proof']).toContain(errorOf(answer));
}

function expectUnauthorized(answer: Answer, fault: string): void {
  expect([400, 401], `${fault}: ${answer.text}`).toContain(answer.status);
  expect(answer.text, fault).not.toContain('"sub"');
}
