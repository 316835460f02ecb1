import { expect } from 'vitest';
import type { JSONWebKeySet } from 'jose';
import { send } from '../harness/send.ts';
import type { Metadata } from './suite.ts';

/** All members that OpenID Connect Discovery 1.0, RFC 8414 and their registry have: an unknown one is a warning there. */
const strings = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'jwks_uri',
  'revocation_endpoint',
  'introspection_endpoint',
  'registration_endpoint',
  'end_session_endpoint',
  'device_authorization_endpoint',
  'pushed_authorization_request_endpoint',
  'service_documentation',
  'workload_token_issuer',
  'op_policy_uri',
  'op_tos_uri',
];
const lists = [
  'scopes_supported',
  'response_types_supported',
  'response_modes_supported',
  'grant_types_supported',
  'acr_values_supported',
  'subject_types_supported',
  'id_token_signing_alg_values_supported',
  'userinfo_signing_alg_values_supported',
  'request_object_signing_alg_values_supported',
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'revocation_endpoint_auth_methods_supported',
  'revocation_endpoint_auth_signing_alg_values_supported',
  'introspection_endpoint_auth_methods_supported',
  'introspection_endpoint_auth_signing_alg_values_supported',
  'display_values_supported',
  'claim_types_supported',
  'claims_supported',
  'claims_locales_supported',
  'ui_locales_supported',
  'code_challenge_methods_supported',
  'dpop_signing_alg_values_supported',
  'prompt_values_supported',
  'protected_resources',
];
const booleans = [
  'claims_parameter_supported',
  'request_parameter_supported',
  'request_uri_parameter_supported',
  'require_request_uri_registration',
  'authorization_response_iss_parameter_supported',
  'require_pushed_authorization_requests',
  'backchannel_logout_supported',
  'backchannel_logout_session_supported',
  'frontchannel_logout_supported',
  'client_id_metadata_document_supported',
];
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** What the Foundation's discovery modules check of the metadata document and the key set; gives the document. */
export async function verifyDiscovery(issuer: string): Promise<Metadata> {
  const answer = await send(`${issuer}/.well-known/openid-configuration`);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  const metadata = answer.json() as Metadata;
  expect(metadata.issuer).toBe(issuer);

  for (const [name, value] of Object.entries(metadata)) {
    if (strings.includes(name)) expect(value, name).toBeTypeOf('string');
    else if (lists.includes(name)) {
      expect(Array.isArray(value) && value.length > 0, `${name}: ${JSON.stringify(value)}`).toBe(true);
      for (const each of value as unknown[]) expect(each, name).toBeTypeOf('string');
      expect(new Set(value as string[]).size, name).toBe((value as string[]).length);
    } else {
      expect(booleans, `the member '${name}' is known to no registry`).toContain(name);
      expect(value, name).toBeTypeOf('boolean');
    }
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (!/_endpoint$|_uri$/.test(name)) continue;
    const url = new URL(value as string);
    // https everywhere but on loopback, where the tests run.
    expect(url.protocol === 'https:' || url.hostname === 'localhost', name).toBe(true);
    expect(url.hash, name).toBe('');
  }

  for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) {
    expect(metadata, name).toHaveProperty(name);
  }
  const { scopes_supported: scopes } = metadata;
  expect(scopes).toContain('openid');
  for (const scope of scopes) expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
  expect(metadata['id_token_signing_alg_values_supported']).toContain('RS256');
  expect(metadata['response_types_supported']).toEqual(['code']);
  expect(metadata['subject_types_supported']).toEqual(['public']);
  expect(metadata['grant_types_supported']).toContain('authorization_code');
  expect(metadata['grant_types_supported']).not.toContain('implicit');
  expect(metadata['claims_supported']).toContain('sub');
  expect(metadata['code_challenge_methods_supported']).toEqual(['S256']);
  expect(metadata['authorization_response_iss_parameter_supported']).toBe(true);
  // Where a list of algorithms is needed, it is there and promises no `none`.
  const methods = metadata['token_endpoint_auth_methods_supported'] as string[];
  if (methods.some((method) => method.endsWith('_jwt'))) {
    expect(metadata['token_endpoint_auth_signing_alg_values_supported']).toBeDefined();
  }
  for (const name of lists.filter((each) => each.endsWith('signing_alg_values_supported'))) {
    expect(metadata[name] ?? []).not.toContain('none');
  }
  // Absent means true for this one (Discovery, 3).
  expect(metadata['request_uri_parameter_supported']).toBe(false);

  await verifyKeySet(metadata.jwks_uri);
  return metadata;
}

async function verifyKeySet(uri: string): Promise<void> {
  const answer = await send(uri);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toMatch(/^application\/(jwk-set\+)?json/);
  const { keys } = answer.json() as JSONWebKeySet;
  const names = keys.map(({ kid }) => kid);
  expect(new Set(names).size).toBe(keys.length);
  for (const key of keys) {
    expect(key).toMatchObject({
      kid: expect.any(String) as string,
      use: 'sig',
      alg: expect.any(String) as string,
    });
    for (const member of secretMembers) expect(key, key.kid).not.toHaveProperty(member);
    if (key.kty === 'RSA')
      expect(Buffer.from(key.n ?? '', 'base64url').length * 8).toBeGreaterThanOrEqual(2048);
  }
  expect(keys.some(({ kty, alg }) => kty === 'RSA' && alg === 'RS256')).toBe(true);
}
