import { createId } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import { exactly, type Database } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import {
  chooseAuthMethod,
  mergeUpdate,
  refuseMovedSecret,
  validateKind,
  type CreateInput,
  type UpdateInput,
} from './connector-input.ts';
import { createConnectorStore } from './connector-store.ts';
import {
  chooseAlgorithms,
  signatureAlgorithms,
  validateEndpoints,
  withOpenid,
  type Connector,
  type Endpoints,
  type ProviderMetadata,
} from './connector.ts';
import { ProviderFailure } from './provider-failure.ts';

/** What saving needs of a conversation with the provider; all throw `ProviderFailure`. */
export type ConnectorCheck = {
  /** Refuses a URL that the guarded fetcher would not even try. */
  validateUrl(url: string): void;
  discover(issuer: string): Promise<ProviderMetadata>;
  /** Fetches the key set and refuses one without a key for any of the algorithms. */
  validateKeys(jwksUri: string, algorithms: readonly string[]): Promise<void>;
};

/** Who changes something: for the audit record. */
export type Change = { actor: string; reference: string };

export type Connectors = ReturnType<typeof createConnectors>;

const secretPurpose = 'connector-secret';

/** The team's connectors. A secret goes in, and comes out only to be sent to the provider it was given for. */
export function createConnectors(needs: {
  database: Database;
  clock: Clock;
  audit: Audit;
  sealing: Sealing;
  check: ConnectorCheck;
  /** Names of the projects whose Passport setting names this connector. */
  usedBy: (teamId: string, connectorId: string) => Promise<readonly string[]>;
}) {
  const { database, clock, audit, sealing, check } = needs;
  const store = createConnectorStore(database);

  /**
   * Finds out what the input leaves open, and holds all of it against the rules. What was found out of the same
   * issuer before stands in while its discovery does not answer, so that no save weakens a connector.
   */
  async function complete(
    input: CreateInput,
    before?: Connector,
  ): Promise<Omit<Connector, 'id' | 'teamId' | 'createdAt' | 'updatedAt'>> {
    validateKind(input);
    const typed = [input.issuer, input.authorizationEndpoint, input.tokenEndpoint, input.jwksUri];
    for (const url of [...typed, input.userinfoEndpoint, input.endSessionEndpoint]) {
      if (url !== undefined) check.validateUrl(url);
    }
    const { authorizationEndpoint, tokenEndpoint, jwksUri } = input;
    const mayDoWithout =
      authorizationEndpoint !== undefined && tokenEndpoint !== undefined && jwksUri !== undefined;
    const metadata = await check.discover(input.issuer).catch((error: unknown) => {
      // Typed by hand, a provider without discovery is fine; one whose discovery names another issuer is not.
      if (mayDoWithout && error instanceof ProviderFailure && error.step === 'discovery') return undefined;
      throw error;
    });
    const endpoints: Endpoints = {
      authorizationEndpoint: required(authorizationEndpoint ?? metadata?.authorizationEndpoint),
      tokenEndpoint: required(tokenEndpoint ?? metadata?.tokenEndpoint),
      jwksUri: required(jwksUri ?? metadata?.jwksUri),
      userinfoEndpoint: input.userinfoEndpoint ?? metadata?.userinfoEndpoint,
      endSessionEndpoint: input.endSessionEndpoint ?? metadata?.endSessionEndpoint,
    };
    const known = before?.issuer === input.issuer ? before : undefined;
    validateEndpoints(input.issuer, endpoints, metadata ?? known);
    const algorithms = metadata
      ? chooseAlgorithms(metadata)
      : (known?.idTokenSigningAlgorithms ?? signatureAlgorithms);
    await check.validateKeys(endpoints.jwksUri, algorithms);
    return {
      name: input.name,
      type: 'oidc',
      issuer: input.issuer,
      clientId: input.clientId,
      hasClientSecret: input.clientSecret !== undefined,
      tokenEndpointAuthMethod: chooseAuthMethod(input, metadata),
      ...endpoints,
      scopes: withOpenid(input.scopes),
      forwardedClaims: [...new Set(input.forwardedClaims ?? [])],
      usesRefreshTokens: input.usesRefreshTokens,
      idTokenSigningAlgorithms: algorithms,
      authorizationResponseIssParameterSupported:
        (metadata ?? known)?.authorizationResponseIssParameterSupported ?? false,
    };
  }

  async function getOfTeam(teamId: string, id: string) {
    const stored = await store.find(id);
    if (stored?.connector.teamId === teamId) return stored;
    throw publicError('not_found', { description: `The team has no identity provider application ${id}.` });
  }

  return {
    /** The connector, of whichever team: what may be done with it is the asker's business. */
    async find(id: string): Promise<Connector | undefined> {
      return (await store.find(id))?.connector;
    },

    /** Throws PublicError `not_found` for another team's connector as for one that never was. */
    async get(teamId: string, id: string): Promise<Connector> {
      return (await getOfTeam(teamId, id)).connector;
    },

    /** The connector, if it is this team's. */
    async findOfTeam(teamId: string, id: string): Promise<Connector | undefined> {
      const connector = (await store.find(id))?.connector;
      return connector?.teamId === teamId ? connector : undefined;
    },

    async list(teamId: string): Promise<Connector[]> {
      return (await store.list(teamId)).map(({ connector }) => connector);
    },

    /** The secret in plain text, to be sent to the connector's token endpoint and nowhere else. */
    async openSecret(id: string): Promise<string | undefined> {
      const sealed = (await store.find(id))?.clientSecretSealed;
      return sealed === undefined ? undefined : sealing.open(secretPurpose, sealed, id);
    },

    /** @throws ProviderFailure when the provider does not bear out what was typed */
    async create(teamId: string, input: CreateInput, change: Change): Promise<Connector> {
      const id = createId('scl');
      const now = clock.now();
      const connector: Connector = { ...(await complete(input)), id, teamId, createdAt: now, updatedAt: now };
      const clientSecretSealed =
        input.clientSecret === undefined
          ? undefined
          : await sealing.seal(secretPurpose, input.clientSecret, id);
      await database.write([
        exactly(1, store.insert({ connector, clientSecretSealed })),
        audit.record({ ...change, action: 'connector.create', object: id, teamId, after: connector }),
      ]);
      return connector;
    },

    /**
     * Changes what the input names and checks the whole anew.
     * @throws ProviderFailure, PublicError `not_found`, `connector_changed`, `connector_refused`
     */
    async update(teamId: string, id: string, input: UpdateInput, change: Change): Promise<Connector> {
      const { connector: before, clientSecretSealed: keptSecret } = await getOfTeam(teamId, id);
      const secret = input.clientSecret;
      // `complete` only asks whether there is a secret; the kept one is not opened for that.
      const merged = mergeUpdate(
        before,
        input,
        secret === undefined && keptSecret !== undefined ? 'kept' : secret,
      );
      const completed = await complete(merged, before);
      if (secret === undefined && keptSecret !== undefined) refuseMovedSecret(before, completed);
      const clientSecretSealed =
        typeof secret === 'string'
          ? await sealing.seal(secretPurpose, secret, id)
          : secret === null
            ? undefined
            : keptSecret;
      const updatedAt = Math.max(clock.now(), before.updatedAt + 1);
      const connector: Connector = { ...completed, id, teamId, createdAt: before.createdAt, updatedAt };
      const outcome = await database.tryWrite([
        exactly(1, store.update({ connector, clientSecretSealed }, before.updatedAt)),
        audit.record({ ...change, action: 'connector.update', object: id, teamId, before, after: connector }),
      ]);
      if (!outcome.committed) throw publicError('connector_changed');
      return connector;
    },

    /** @throws PublicError `not_found`, `connector_in_use` */
    async delete(teamId: string, id: string, change: Change): Promise<void> {
      const { connector } = await getOfTeam(teamId, id);
      const projects = await needs.usedBy(teamId, id);
      if (projects.length > 0) {
        throw publicError('connector_in_use', {
          description: `It protects ${projects.slice(0, 5).join(', ')}.`,
        });
      }
      await database.tryWrite([
        exactly(1, store.delete(connector)),
        audit.record({ ...change, action: 'connector.delete', object: id, teamId, before: connector }),
      ]);
    },
  };
}

function required(endpoint: string | undefined): string {
  if (endpoint !== undefined) return endpoint;
  throw new ProviderFailure('discovery', {
    received: 'a discovery document without all of the endpoints',
    expected: 'authorization endpoint, token endpoint and key set',
    mend: 'Type the missing endpoints by hand.',
  });
}
