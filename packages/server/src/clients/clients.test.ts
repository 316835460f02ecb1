import type { TokenEndpointAuthMethod } from '@tessera/protocol';
import { describe, expect, test } from 'vitest';
import type { App, LiveSecret } from '#apps';
import { hashSecret } from '#sealing';
import type { ClientsNeeds } from './clients.ts';
import { createClients } from './index.ts';

const secrets = ['vcs_one', 'vcs_two'];

/** Assertions and limits have tests of their own. */
const noAssertions = {
  database: {
    queries: () => undefined,
    statement: () => () => () => undefined,
    tryWrite: async () => ({ committed: true }),
  },
  limits: { count: () => undefined },
  clock: undefined,
  remoteKeys: undefined,
  keys: undefined,
  findLiveWorkload: undefined,
  issuer: 'https://id.example',
  tokenEndpoint: 'https://id.example/token',
  oidc: 'https://id.example/oidc',
} as unknown as ClientsNeeds;

function clientsWith(methods: TokenEndpointAuthMethod[]) {
  const app = { id: 'cl_a', tokenEndpointAuthMethods: methods } as unknown as App;
  const live: LiveSecret[] = secrets.map((secret, index) => ({
    id: `sec_${index}`,
    hash: hashSecret(secret),
    lastUsedAt: undefined,
  }));
  const used: string[] = [];
  const { authenticate } = createClients({
    ...noAssertions,
    apps: {
      findRemembered: async (id) => (id === 'cl_a' ? app : undefined),
      openSecret: async () => undefined,
      findWithSecrets: async (id) => (id === 'cl_a' ? { app, secrets: live } : undefined),
      noteSecretUse: async ({ id }) => void used.push(id),
    },
  });
  return {
    used,
    authenticate: (authorization: string | undefined, form: Record<string, string> = {}) =>
      authenticate({ authorization, form: new Map(Object.entries(form)), clientAddress: '127.0.0.1' }),
  };
}
const basic = (id: string, secret: string, scheme = 'Basic') =>
  `${scheme} ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

describe('a client', () => {
  test('proves itself by either of its secrets, in the header or in the form', async () => {
    const { authenticate, used } = clientsWith(['client_secret_basic', 'client_secret_post']);
    for (const secret of secrets) {
      expect(await authenticate(basic('cl_a', secret))).toMatchObject({ id: 'cl_a' });
      expect(await authenticate(basic('cl_a', secret, 'bASIC'))).toMatchObject({ id: 'cl_a' });
      expect(await authenticate(undefined, { client_id: 'cl_a', client_secret: secret })).toMatchObject({
        id: 'cl_a',
      });
    }
    expect(new Set(used)).toEqual(new Set(['sec_0', 'sec_1']));
  });

  test('may name itself in the form too, if it is the same', async () => {
    const { authenticate } = clientsWith(['client_secret_basic']);
    const header = basic('cl_a', 'vcs_one');
    expect(await authenticate(header, { client_id: 'cl_a' })).toMatchObject({ id: 'cl_a' });
    await expect(authenticate(header, { client_id: 'cl_b' })).rejects.toMatchObject({
      error: 'invalid_request',
    });
  });

  test('with a wrong secret gets the same answer as one that does not exist (security-45)', async () => {
    const { authenticate } = clientsWith(['client_secret_basic']);
    const failures = await Promise.allSettled([
      authenticate(basic('cl_a', 'wrong')),
      authenticate(basic('cl_nobody', 'vcs_one')),
    ]);
    const [one, other] = failures.map((failure) => (failure as PromiseRejectedResult).reason as Error);
    expect(one).toMatchObject({ error: 'invalid_client', status: 401, message: other?.message });
    expect(one).toMatchObject({
      headers: { 'www-authenticate': expect.stringMatching(/^Basic /) as string },
    });
  });

  test.each([
    ['header and secret', basic('cl_a', 'vcs_one'), { client_id: 'cl_a', client_secret: 'vcs_one' }],
    ['header and assertion', basic('cl_a', 'vcs_one'), { client_assertion: 'x' }],
    [
      'secret and assertion',
      undefined,
      { client_id: 'cl_a', client_secret: 'vcs_one', client_assertion: 'x' },
    ],
  ])('that authenticates by two methods is refused: %s', async (_name, header, form) => {
    const { authenticate } = clientsWith(['client_secret_basic', 'client_secret_post']);
    await expect(authenticate(header, form as Record<string, string>)).rejects.toMatchObject({
      error: 'invalid_request',
    });
  });

  test('may use only what it is registered for: none is no way round a secret (security-44)', async () => {
    const confidential = clientsWith(['client_secret_basic']);
    await expect(confidential.authenticate(undefined, { client_id: 'cl_a' })).rejects.toMatchObject({
      error: 'invalid_client',
    });
    await expect(
      confidential.authenticate(undefined, { client_id: 'cl_a', client_secret: 'vcs_one' }),
    ).rejects.toMatchObject({ error: 'invalid_client' });
    const open = clientsWith(['none']);
    expect(await open.authenticate(undefined, { client_id: 'cl_a' })).toMatchObject({ id: 'cl_a' });
    await expect(open.authenticate(basic('cl_a', 'vcs_one'))).rejects.toMatchObject({
      error: 'invalid_client',
    });
  });

  test.each([
    'Bearer x',
    'Basic',
    'Basic !!!',
    `Basic ${Buffer.from('nocolon').toString('base64')}`,
    basic('', 'x'),
    basic('cl_a', ''),
    basic('%zz', 'x'),
  ])('with the header %j is refused with the challenge', async (header) => {
    const { authenticate } = clientsWith(['client_secret_basic']);
    await expect(authenticate(header)).rejects.toMatchObject({
      error: 'invalid_client',
      status: 401,
      headers: { 'www-authenticate': expect.stringMatching(/^Basic /) as string },
    });
  });

  test('form-encodes id and secret in the header (RFC 6749, 2.3.1)', async () => {
    const { authenticate } = clientsWith(['client_secret_basic']);
    expect(await authenticate(basic('cl%5Fa', 'vcs%5Fone'))).toMatchObject({ id: 'cl_a' });
  });
});
