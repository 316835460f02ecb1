import { createConnectorBody } from '@tessera/contract';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import { PublicError } from '#errors';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { connectorMigrations, createConnectors, ProviderFailure, type ProviderMetadata } from './index.ts';

const issuer = 'https://idp.example';
const metadata: ProviderMetadata = {
  issuer,
  authorizationEndpoint: 'https://idp.example/authorize',
  tokenEndpoint: 'https://tokens.example/token',
  jwksUri: 'https://idp.example/jwks',
  userinfoEndpoint: 'https://idp.example/userinfo',
  endSessionEndpoint: undefined,
  tokenEndpointAuthMethodsSupported: ['client_secret_post'],
  scopesSupported: ['openid'],
  idTokenSigningAlgValuesSupported: ['none', 'HS256', 'ES256', 'RS256'],
  authorizationResponseIssParameterSupported: true,
  codeChallengeMethodsSupported: ['S256'],
};
const change = { actor: 'usr_a', reference: 'req_a' };
const input = (more: Record<string, unknown> = {}) =>
  createConnectorBody.parse({ name: 'Okta', issuer, clientId: 'client', clientSecret: 'hush-hush', ...more });

function noDiscovery(): Promise<ProviderMetadata> {
  return Promise.reject(
    new ProviderFailure('discovery', { received: '404', expected: '200', mend: 'Type it.' }),
  );
}

describeOnBothDatabases('connectors', (openDatabase) => {
  const open = async (discovered: () => Promise<ProviderMetadata> = () => Promise.resolve(metadata)) => {
    const clock = createShiftedClock();
    const database = await openDatabase([...connectorMigrations, ...auditMigrations], clock);
    const audit = createAudit({ database, clock });
    const used: string[] = [];
    const connectors = createConnectors({
      database,
      clock,
      audit,
      sealing: createSealing(new Uint8Array(32).fill(1)),
      check: { validateUrl: () => undefined, discover: discovered, validateKeys: () => Promise.resolve() },
      usedBy: () => Promise.resolve(used),
    });
    return { audit, clock, connectors, database, used };
  };

  const refusal = async (answer: Promise<unknown>): Promise<string> => {
    const error: unknown = await answer.then(
      () => 'nothing was refused',
      (reason: unknown) => reason,
    );
    if (error instanceof ProviderFailure) return error.step;
    return error instanceof PublicError ? error.code : String(error);
  };

  it('takes the endpoints, algorithms and client authentication from discovery', async () => {
    const { connectors } = await open();
    const made = await connectors.create('team_a', input(), change);
    expect(made).toMatchObject({
      issuer,
      tokenEndpoint: 'https://tokens.example/token',
      userinfoEndpoint: 'https://idp.example/userinfo',
      tokenEndpointAuthMethod: 'client_secret_post',
      scopes: ['openid', 'profile', 'email'],
      idTokenSigningAlgorithms: ['ES256', 'RS256'],
      authorizationResponseIssParameterSupported: true,
      hasClientSecret: true,
    });
    expect(await connectors.find(made.id)).toEqual(made);
    expect(await connectors.list('team_a')).toEqual([made]);
  });

  it('keeps the secret sealed, out of the record and out of the audit log', async () => {
    const { audit, connectors, database } = await open();
    const made = await connectors.create('team_a', input(), change);
    expect(await connectors.openSecret(made.id)).toBe('hush-hush');
    const rows = await database.list(
      database.statement<Record<never, never>>()(() =>
        database.queries<{ connectors: object }>().selectFrom('connectors').selectAll(),
      )({}),
    );
    const logged = await audit.listOfTeam('team_a', { limit: 10 });
    expect(logged.map(({ action }) => action)).toEqual(['connector.create']);
    expect(JSON.stringify([rows, logged, made])).not.toContain('hush-hush');
  });

  it('takes endpoints by hand where there is no discovery, of the issuer alone', async () => {
    const { connectors } = await open(noDiscovery);
    const byHand = {
      authorizationEndpoint: 'https://idp.example/a',
      tokenEndpoint: 'https://idp.example/t',
      jwksUri: 'https://idp.example/j',
    };
    const made = await connectors.create('team_a', input(byHand), change);
    expect(made).toMatchObject({ ...byHand, tokenEndpointAuthMethod: 'client_secret_basic' });
    expect(made.idTokenSigningAlgorithms).not.toContain('none');
    expect(made.idTokenSigningAlgorithms).not.toContain('HS256');
    expect(await refusal(connectors.create('team_a', input(), change))).toBe('discovery');
    const foreign = { ...byHand, tokenEndpoint: 'https://evil.example/t' };
    expect(await refusal(connectors.create('team_a', input(foreign), change))).toBe('endpoints');
  });

  it('takes a foreign endpoint only where discovery names just that', async () => {
    const { connectors } = await open();
    await connectors.create('team_a', input({ tokenEndpoint: metadata.tokenEndpoint }), change);
    for (const tokenEndpoint of ['https://tokens.example/other', 'https://evil.example/token']) {
      expect(await refusal(connectors.create('team_a', input({ tokenEndpoint }), change))).toBe('endpoints');
    }
  });

  it('does not fall back to typed endpoints when discovery names another issuer', async () => {
    const mismatch = () =>
      Promise.reject(new ProviderFailure('issuer', { received: 'a', expected: 'b', mend: 'c' }));
    const { connectors } = await open(mismatch);
    const typed = {
      authorizationEndpoint: `${issuer}/a`,
      tokenEndpoint: `${issuer}/t`,
      jwksUri: `${issuer}/j`,
    };
    expect(await refusal(connectors.create('team_a', input(typed), change))).toBe('issuer');
  });

  it('refuses what it cannot do, and a secret that does not fit the method', async () => {
    const { connectors } = await open();
    const refused = [
      { type: 'oauth2' },
      { tokenEndpointAuthMethod: 'private_key_jwt' },
      { subjectClaim: 'oid' },
      { clientSecret: undefined },
      { forwardedClaims: ['groups', 'sub'] },
      { tokenEndpointAuthMethod: 'none' },
    ];
    for (const more of refused) {
      expect(await refusal(connectors.create('team_a', input(more), change))).toBe('connector_refused');
    }
    const weak = await open(() =>
      Promise.resolve({ ...metadata, idTokenSigningAlgValuesSupported: ['HS256', 'none'] }),
    );
    expect(await refusal(weak.connectors.create('team_a', input(), change))).toBe('algorithms');
  });

  it('changes what is named, and never sends a kept secret to a new place', async () => {
    const { connectors } = await open();
    const made = await connectors.create('team_a', input({ forwardedClaims: ['groups'] }), change);
    const renamed = await connectors.update('team_a', made.id, { name: 'Okta 2' }, change);
    expect(renamed).toEqual({ ...made, name: 'Okta 2', updatedAt: renamed.updatedAt });
    expect(await connectors.openSecret(made.id)).toBe('hush-hush');
    const moved = { tokenEndpoint: `${issuer}/elsewhere` };
    expect(await refusal(connectors.update('team_a', made.id, moved, change))).toBe('connector_refused');
    await connectors.update('team_a', made.id, { ...moved, clientSecret: 'another' }, change);
    expect(await connectors.openSecret(made.id)).toBe('another');
    const secretless = { clientSecret: null, tokenEndpointAuthMethod: 'none' as const };
    expect((await connectors.update('team_a', made.id, secretless, change)).hasClientSecret).toBe(false);
    expect(await connectors.openSecret(made.id)).toBeUndefined();
  });

  it('keeps what it knew of a provider whose discovery is down for the moment', async () => {
    let down = false;
    const { connectors } = await open(() => (down ? noDiscovery() : Promise.resolve(metadata)));
    const made = await connectors.create('team_a', input(), change);
    down = true;
    const renamed = await connectors.update('team_a', made.id, { name: 'Okta 2' }, change);
    expect(renamed).toEqual({ ...made, name: 'Okta 2', updatedAt: renamed.updatedAt });
    const foreign = { tokenEndpoint: 'https://evil.example/token', clientSecret: 'x' };
    expect(await refusal(connectors.update('team_a', made.id, foreign, change))).toBe('endpoints');
  });

  it('lets one of two changes win that began from the same record', async () => {
    const waiting: (() => void)[] = [];
    let together = false;
    const { connectors } = await open(async () => {
      if (together) {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === 2) for (const proceed of waiting) proceed();
        });
      }
      return metadata;
    });
    const made = await connectors.create('team_a', input(), change);
    together = true;
    const outcomes = await Promise.all(
      ['one', 'two'].map((name) => refusal(connectors.update('team_a', made.id, { name }, change))),
    );
    expect(outcomes.toSorted()).toEqual(['connector_changed', 'nothing was refused']);
  });

  it('knows another team nothing of a connector, and deletes none in use', async () => {
    const { connectors, used } = await open();
    const made = await connectors.create('team_a', input(), change);
    expect(await refusal(connectors.get('team_b', made.id))).toBe('not_found');
    expect(await refusal(connectors.update('team_b', made.id, { name: 'x' }, change))).toBe('not_found');
    expect(await refusal(connectors.delete('team_b', made.id, change))).toBe('not_found');
    expect(await connectors.findOfTeam('team_b', made.id)).toBeUndefined();
    used.push('web');
    expect(await refusal(connectors.delete('team_a', made.id, change))).toBe('connector_in_use');
    used.pop();
    await connectors.delete('team_a', made.id, change);
    expect(await connectors.find(made.id)).toBeUndefined();
  });
});
