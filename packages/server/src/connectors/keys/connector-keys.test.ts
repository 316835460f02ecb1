import { X509Certificate } from 'node:crypto';
import { createConnectorBody } from '@tessera/contract';
import { importJWK } from 'jose';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../../tests/harness/both-databases.ts';
import {
  connectorKeyMigrations,
  connectorMigrations,
  createConnectors,
  type ProviderMetadata,
} from '../index.ts';

const issuer = 'https://idp.example';
const metadata: ProviderMetadata = {
  issuer,
  authorizationEndpoint: `${issuer}/authorize`,
  tokenEndpoint: `${issuer}/token`,
  jwksUri: `${issuer}/jwks`,
  userinfoEndpoint: undefined,
  endSessionEndpoint: undefined,
  tokenEndpointAuthMethodsSupported: ['private_key_jwt'],
  tokenEndpointAuthSigningAlgValuesSupported: undefined,
  scopesSupported: [],
  idTokenSigningAlgValuesSupported: ['RS256'],
  authorizationResponseIssParameterSupported: true,
  codeChallengeMethodsSupported: ['S256'],
};
const change = { actor: 'usr_a', reference: 'req_a' };
const changed = (connectorId: string) => ({ ...change, teamId: 'team_a', connectorId });
const byKey = {
  name: 'Corp',
  issuer,
  clientId: 'client',
  tokenEndpointAuthMethod: 'private_key_jwt' as const,
};

describeOnBothDatabases("a connector's own keys", (openDatabase) => {
  const open = async (more: Partial<ProviderMetadata> = {}) => {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [...connectorMigrations, ...connectorKeyMigrations, ...auditMigrations],
      clock,
    );
    const audit = createAudit({ database, clock });
    const connectors = createConnectors({
      database,
      clock,
      audit,
      sealing: createSealing(new Uint8Array(32).fill(1)),
      check: {
        validateUrl: () => undefined,
        discover: (asked) =>
          Promise.resolve({
            ...metadata,
            issuer: asked,
            authorizationEndpoint: `${asked}/authorize`,
            tokenEndpoint: `${asked}/token`,
            jwksUri: `${asked}/jwks`,
            ...more,
          }),
        validateKeys: () => Promise.resolve(),
      },
      uses: [],
    });
    const create = (input: Record<string, unknown> = {}) =>
      connectors.create('team_a', createConnectorBody.parse({ ...byKey, ...input }), change);
    return { audit, clock, connectors, create, database };
  };

  it('are made with the connector, and no two connectors share one', async () => {
    const { connectors, create } = await open();
    const [one, other] = [await create(), await create()];
    const [[first], [second]] = [await connectors.keys.list(one.id), await connectors.keys.list(other.id)];
    expect(first).toMatchObject({ algorithm: 'RS256', isActive: true, connectorId: one.id });
    expect(first?.kid).not.toBe(second?.kid);
    expect(first?.publicJwk.n).not.toBe(second?.publicJwk.n);
    const { privateKey } = (await connectors.keys.openActive(one.id)) ?? {};
    expect(privateKey?.type).toBe('private');
  });

  it('are of the kind that the provider reads', async () => {
    const entra = await (await open()).create({ issuer: 'https://login.microsoftonline.com/t/v2.0' });
    expect(entra.clientAssertionAudience).toBe('token_endpoint');
    const kinds: [Partial<ProviderMetadata>, string][] = [
      [{ tokenEndpointAuthSigningAlgValuesSupported: ['PS256', 'ES256'] }, 'PS256'],
      [{ tokenEndpointAuthSigningAlgValuesSupported: ['ES256'] }, 'ES256'],
      [{ tokenEndpointAuthSigningAlgValuesSupported: ['ES256', 'RS256'] }, 'RS256'],
    ];
    for (const [more, algorithm] of kinds) {
      const { connectors, create } = await open(more);
      const { id, clientAssertionAudience } = await create();
      expect((await connectors.keys.openActive(id))?.algorithm).toBe(algorithm);
      expect(clientAssertionAudience).toBe('issuer');
    }
  });

  it('come as a certificate too, which a library of others reads and verifies', async () => {
    for (const offered of [['RS256'], ['PS256'], ['ES256']]) {
      const { clock, connectors, create } = await open({
        tokenEndpointAuthSigningAlgValuesSupported: offered,
      });
      const { id } = await create();
      const [key] = await connectors.keys.list(id);
      const certificate = new X509Certificate(key?.certificate ?? '');
      expect(certificate.subject).toBe(`CN=${id}`);
      expect(certificate.verify(certificate.publicKey)).toBe(true);
      expect(certificate.checkIssued(certificate)).toBe(true);
      const { x, y, n, e, kty } = certificate.publicKey.export({ format: 'jwk' });
      expect(key?.publicJwk).toMatchObject(JSON.parse(JSON.stringify({ x, y, n, e, kty })) as object);
      expect(certificate.validToDate.getUTCFullYear()).toBe(new Date(clock.now()).getUTCFullYear() + 10);
      expect(key?.publicJwk['x5t#S256']).toBe(
        Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
      );
    }
  });

  it('are published without their private half, which is sealed and in no record', async () => {
    const { audit, connectors, create, database } = await open();
    const { id } = await create();
    await connectors.keys.create(changed(id), 'RS256');
    const rows = await database.list(
      database.statement<Record<never, never>>()(() =>
        database.queries<{ connectorKeys: object }>().selectFrom('connectorKeys').selectAll(),
      )({}),
    );
    const logged = await audit.listOfTeam('team_a', { limit: 10 });
    const all = JSON.stringify([rows, logged, await connectors.keys.list(id)]);
    expect(all).not.toMatch(/\\?"(d|p|q|dp|dq|qi)\\?":/);
    for (const { publicJwk } of await connectors.keys.list(id)) {
      const imported = await importJWK(publicJwk);
      expect('type' in imported && imported.type).toBe('public');
    }
  });

  it('are changed without a moment in which none signs', async () => {
    const { audit, connectors, create } = await open();
    const { id } = await create();
    const first = (await connectors.keys.openActive(id))?.kid ?? '';
    const next = await connectors.keys.create(changed(id), 'RS256');
    expect(next.isActive).toBe(false);
    expect((await connectors.keys.openActive(id))?.kid).toBe(first);
    await expect(connectors.keys.delete(changed(id), first)).rejects.toThrow('connector_key_active');
    await connectors.keys.activate(changed(id), next.kid);
    expect((await connectors.keys.openActive(id))?.kid).toBe(next.kid);
    await connectors.keys.delete(changed(id), first);
    expect((await connectors.keys.list(id)).map(({ kid }) => kid)).toEqual([next.kid]);
    await expect(connectors.keys.activate(changed(id), first)).rejects.toThrow('not_found');
    expect((await connectors.keys.openActive(id))?.kid).toBe(next.kid);
    const actions = (await audit.listOfTeam('team_a', { limit: 10 })).map(({ action }) => action);
    expect(actions.toSorted()).toEqual([
      'connector-key.activate',
      'connector-key.create',
      'connector-key.delete',
      'connector.create',
    ]);
  });

  it('have one among them that signs, however many are activated at once', async () => {
    const { connectors, create } = await open();
    const { id } = await create();
    for (let made = 0; made < 3; made++) await connectors.keys.create(changed(id), 'ES256');
    await expect(connectors.keys.create(changed(id), 'ES256')).rejects.toThrow('too_many_connector_keys');
    const kids = (await connectors.keys.list(id)).map(({ kid }) => kid);
    await Promise.all(kids.map((kid) => connectors.keys.activate(changed(id), kid)));
    expect((await connectors.keys.list(id)).filter(({ isActive }) => isActive)).toHaveLength(1);
  });

  it('can be made before the method is switched, belong to no other connector, and go with theirs', async () => {
    const { connectors, create } = await open();
    const bySecret = { clientSecret: 'hush', tokenEndpointAuthMethod: 'client_secret_post' };
    const [{ id }, other] = [await create(bySecret), await create()];
    expect(await connectors.keys.list(id)).toEqual([]);
    const prepared = await connectors.keys.create(changed(id), 'RS256');
    await expect(connectors.keys.activate(changed(other.id), prepared.kid)).rejects.toThrow('not_found');
    await expect(connectors.keys.delete(changed(other.id), prepared.kid)).rejects.toThrow('not_found');
    await connectors.keys.activate(changed(id), prepared.kid);
    const switched = await connectors.update(
      'team_a',
      id,
      { tokenEndpointAuthMethod: 'private_key_jwt', clientSecret: null },
      change,
    );
    expect(switched).toMatchObject({ hasClientSecret: false, tokenEndpointAuthMethod: 'private_key_jwt' });
    expect((await connectors.keys.list(id)).map(({ kid }) => kid)).toEqual([prepared.kid]);
    await connectors.delete('team_a', id, change);
    expect(await connectors.keys.list(id)).toEqual([]);
    expect(await connectors.keys.list(other.id)).toHaveLength(1);
  });
});
