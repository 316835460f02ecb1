import { createConnectorBody } from '@tessera/contract';
import { expect, it } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import { PublicError } from '#errors';
import { createSealing } from '#sealing';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { exactly, type Migration } from '#database';
import {
  connectorKeyMigrations,
  connectorMigrations,
  createConnectors,
  ProviderFailure,
  type ProviderMetadata,
} from './index.ts';

const issuer = 'https://idp.example';
const metadata: ProviderMetadata = {
  issuer,
  authorizationEndpoint: 'https://idp.example/authorize',
  tokenEndpoint: 'https://tokens.example/token',
  jwksUri: 'https://idp.example/jwks',
  userinfoEndpoint: 'https://idp.example/userinfo',
  endSessionEndpoint: undefined,
  tokenEndpointAuthMethodsSupported: ['client_secret_post'],
  tokenEndpointAuthSigningAlgValuesSupported: undefined,
  scopesSupported: ['openid'],
  idTokenSigningAlgValuesSupported: ['none', 'HS256', 'ES256', 'RS256'],
  authorizationResponseIssParameterSupported: true,
  codeChallengeMethodsSupported: ['S256'],
};
/** Another room's table of settings that name connectors. */
const settings: Migration = {
  name: '9000-settings-create',
  async up(schema) {
    await schema.schema
      .createTable('settings')
      .addColumn('teamId', 'text', (column) => column.notNull())
      .addColumn('passport', 'text')
      .execute();
  },
};
const change = { actor: 'usr_a', reference: 'req_a' };
const input = (more: Record<string, unknown> = {}) =>
  createConnectorBody.parse({ name: 'Okta', issuer, clientId: 'client', clientSecret: 'hush-hush', ...more });

function noDiscovery(): Promise<ProviderMetadata> {
  return Promise.reject(new ProviderFailure('http', { received: '404', expected: '200', mend: 'Type it.' }));
}

describeOnBothDatabases('connectors', (openDatabase) => {
  const open = async (discovered: () => Promise<ProviderMetadata> = () => Promise.resolve(metadata)) => {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [...connectorMigrations, ...connectorKeyMigrations, ...auditMigrations, settings],
      clock,
    );
    const audit = createAudit({ database, clock });
    const query = database.queries<{ settings: { teamId: string; passport: string } }>();
    const insertSetting = database.statement<{ teamId: string; passport: string }>()((value) =>
      query.insertInto('settings').values({ teamId: value('teamId'), passport: value('passport') }),
    );
    const deleteSettings = database.statement<Record<never, never>>()(() => query.deleteFrom('settings'));
    /** A unit that makes a setting name the connector, as projects and teams do. */
    const use = (teamId: string, connectorId: string) => [
      exactly(1, insertSetting({ teamId, passport: JSON.stringify({ connectorId, deploymentType: 'all' }) })),
      connectors.hold(teamId, connectorId),
    ];
    const connectors = createConnectors({
      database,
      clock,
      audit,
      sealing: createSealing(new Uint8Array(32).fill(1)),
      check: { validateUrl: () => undefined, discover: discovered, validateKeys: () => Promise.resolve() },
      uses: [{ table: 'settings', column: 'passport', teamColumn: 'teamId' }],
    });
    return { audit, clock, connectors, database, use, stopUsing: () => database.write([deleteSettings({})]) };
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
    expect(await connectors.list('team_a', { limit: 10 })).toEqual([made]);
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
    expect(await refusal(connectors.create('team_a', input(), change))).toBe('http');
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
      { type: 'oauth2', jwksUri: `${issuer}/jwks` },
      { tokenEndpointAuthMethod: 'private_key_jwt' },
      { forwardedClaims: ['__proto__'] },
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

  it('gives a public client of a provider that does not name itself a redirect URI of its own', async () => {
    const silent = { ...metadata, authorizationResponseIssParameterSupported: false };
    const { connectors } = await open(() => Promise.resolve(silent));
    const publicClient = { tokenEndpointAuthMethod: 'none', clientSecret: undefined };
    const made = await connectors.create('team_a', input(publicClient), change);
    expect(made.usesOwnRedirectUri).toBe(true);
    const refused = connectors.create(
      'team_a',
      input({ ...publicClient, usesOwnRedirectUri: false }),
      change,
    );
    expect(await refusal(refused)).toBe('connector_refused');
    const confidential = await connectors.create('team_a', input(), change);
    expect(confidential.usesOwnRedirectUri).toBe(false);
    // Taking the secret away later opens the same way.
    const opened = { tokenEndpointAuthMethod: 'none', clientSecret: null } as const;
    expect(await refusal(connectors.update('team_a', confidential.id, opened, change))).toBe(
      'connector_refused',
    );
    const moved = { ...opened, usesOwnRedirectUri: true };
    expect(await connectors.update('team_a', confidential.id, moved, change)).toMatchObject({
      usesOwnRedirectUri: true,
    });
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
    const { connectors, database, stopUsing, use } = await open();
    const made = await connectors.create('team_a', input(), change);
    expect(await refusal(connectors.get('team_b', made.id))).toBe('not_found');
    expect(await refusal(connectors.update('team_b', made.id, { name: 'x' }, change))).toBe('not_found');
    expect(await refusal(connectors.delete('team_b', made.id, change))).toBe('not_found');
    expect(await connectors.findOfTeam('team_b', made.id)).toBeUndefined();
    await database.write(use('team_a', made.id));
    expect(await connectors.delete('team_a', made.id, change)).toBe('in_use');
    expect(await connectors.find(made.id)).toEqual(made);
    await stopUsing();
    expect(await connectors.delete('team_a', made.id, change)).toBe('deleted');
    expect(await connectors.find(made.id)).toBeUndefined();
    expect(await refusal(connectors.delete('team_a', made.id, change))).toBe('not_found');
  });

  it('never leaves a setting that names a connector which is gone, whoever is first', async () => {
    const { connectors, database, use } = await open();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { id } = await connectors.create('team_a', input(), change);
        const [used, deleted] = await Promise.all([
          database.tryWrite(use('team_a', id)),
          connectors.delete('team_a', id, change),
        ]);
        return `${used.committed ? 'used' : 'not used'}, ${deleted}`;
      }),
    );
    for (const outcome of outcomes) expect(['used, in_use', 'not used, deleted']).toContain(outcome);
  });

  it('lists the connectors of one team, page by page', async () => {
    const { clock, connectors } = await open();
    const made = [];
    for (const name of ['one', 'two', 'three']) {
      made.push(await connectors.create('team_a', input({ name }), change));
      clock.advance(1);
    }
    await connectors.create('team_b', input(), change);
    const first = await connectors.list('team_a', { limit: 2 });
    expect(first).toEqual(made.slice(0, 2));
    expect(await connectors.list('team_a', { after: first[1], limit: 2 })).toEqual(made.slice(2));
  });

  it('tells when a secret was set, and about when it was last good for something', async () => {
    const { clock, connectors, database } = await open();
    const made = await connectors.create('team_a', input(), change);
    expect(made.clientSecretSetAt).toBe(made.createdAt);
    clock.advance(60_000);
    await connectors.update('team_a', made.id, { name: 'Okta 2' }, change);
    expect((await connectors.get('team_a', made.id)).clientSecretSetAt).toBe(made.createdAt);
    const rotated = await connectors.update('team_a', made.id, { clientSecret: 'the next one' }, change);
    expect(rotated.clientSecretSetAt).toBeGreaterThanOrEqual(made.createdAt + 60_000);
    await database.write([connectors.markUsed(made.id)]);
    const used = (await connectors.get('team_a', made.id)).credentialsUsedAt;
    clock.advance(30_000);
    await database.write([connectors.markUsed(made.id)]);
    expect((await connectors.get('team_a', made.id)).credentialsUsedAt).toBe(used);
    clock.advance(31_000);
    await database.write([connectors.markUsed(made.id)]);
    expect((await connectors.get('team_a', made.id)).credentialsUsedAt).toBeGreaterThan(used ?? 0);
  });
});

describeOnBothDatabases('connectors of OAuth 2.0 providers', (openDatabase) => {
  const github = {
    type: 'oauth2',
    issuer: 'https://github.com',
    authorizationEndpoint: 'https://github.com/login/oauth/authorize',
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    userinfoEndpoint: 'https://api.github.com/user',
    subjectClaim: 'id',
  };
  const open = async (discovered: () => Promise<ProviderMetadata> = noDiscovery) => {
    const clock = createShiftedClock();
    const database = await openDatabase(
      [...connectorMigrations, ...connectorKeyMigrations, ...auditMigrations],
      clock,
    );
    return createConnectors({
      database,
      clock,
      audit: createAudit({ database, clock }),
      sealing: createSealing(new Uint8Array(32).fill(1)),
      check: {
        validateUrl: () => undefined,
        discover: discovered,
        validateKeys: () => Promise.reject(new Error('there are no keys')),
      },
      uses: [],
    });
  };

  it('need no key set, and take userinfo below the name of the issuer', async () => {
    const connectors = await open();
    const made = await connectors.create('team_a', input(github), change);
    expect(made).toMatchObject({
      ...github,
      jwksUri: undefined,
      scopes: [],
      idTokenSigningAlgorithms: [],
    });
    expect(await connectors.find(made.id)).toEqual(made);
    const renamed = await connectors.update('team_a', made.id, { name: 'GitHub' }, change);
    expect(renamed).toMatchObject({ ...github, name: 'GitHub' });
  });

  it('have a redirect URI of their own where the provider does not name itself, and no other', async () => {
    const connectors = await open();
    const made = await connectors.create('team_a', input(github), change);
    expect(made.usesOwnRedirectUri).toBe(true);
    const shared = { usesOwnRedirectUri: false };
    for (const refused of [
      connectors.create('team_a', input({ ...github, ...shared }), change),
      connectors.update('team_a', made.id, shared, change),
    ]) {
      await expect(refused).rejects.toMatchObject({
        code: 'connector_refused',
        message: expect.stringContaining('RFC 9207'),
      });
    }
    const naming = await open(() =>
      Promise.resolve({ ...metadata, authorizationResponseIssParameterSupported: true }),
    );
    const named = await naming.create(
      'team_a',
      input({ type: 'oauth2', userinfoEndpoint: `${issuer}/me` }),
      change,
    );
    expect(named.usesOwnRedirectUri).toBe(false);
  });

  it('refuse every other foreign endpoint, and a missing one', async () => {
    const connectors = await open();
    const refused = [
      { userinfoEndpoint: 'https://api.github.com.evil.example/user' },
      { userinfoEndpoint: 'https://evilgithub.com/user' },
      { userinfoEndpoint: 'http://api.github.com/user' },
      { userinfoEndpoint: 'https://api.github.com:8443/user' },
      { tokenEndpoint: 'https://api.github.com/token' },
      { authorizationEndpoint: 'https://gist.github.com/authorize' },
    ];
    for (const more of refused) {
      await expect(
        connectors.create('team_a', input({ ...github, ...more }), change),
        JSON.stringify(more),
      ).rejects.toThrow('endpoints: ');
    }
    const found = await open(() =>
      Promise.resolve({ ...metadata, userinfoEndpoint: undefined, jwksUri: undefined }),
    );
    await expect(found.create('team_a', input({ type: 'oauth2' }), change)).rejects.toThrow(
      'userinfo endpoint',
    );
  });
});
