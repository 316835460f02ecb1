import { createId } from '@tessera/protocol';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import { exactly, type Bound, type Database } from '#database';
import { publicError } from '#errors';
import type { Sealing } from '#sealing';
import { signatureAlgorithms } from '#remote-keys';
import {
  chooseAuthMethod,
  chooseOwnRedirectUri,
  mergeUpdate,
  refuseMovedSecret,
  validateKind,
  type CreateInput,
  type UpdateInput,
} from './connector-input.ts';
import { createConnectorStore, type ConnectorPage, type ConnectorUse } from './connector-store.ts';
import {
  chooseAlgorithms,
  chooseAssertionAudience,
  scopesOf,
  validateEndpoints,
  type Connector,
  type Endpoints,
  type ProviderMetadata,
} from './connector.ts';
import { chooseKeyAlgorithm } from './keys/connector-key.ts';
import { createConnectorKeys } from './keys/connector-keys.ts';
import { isUnreadable, ProviderFailure } from './provider-failure.ts';

/** What saving needs of a conversation with the provider; all throw `ProviderFailure`. */
export type ConnectorCheck = {
  /** Refuses a URL that the guarded fetcher would not even try. */
  validateUrl(url: string): void;
  discover(issuer: string, type: Connector['type']): Promise<ProviderMetadata>;
  /** Fetches the key set and refuses one without a key for any of the algorithms. */
  validateKeys(jwksUri: string, algorithms: readonly string[]): Promise<void>;
};

/** Who changes something: for the audit record. */
export type Change = { actor: string; reference: string };

export type Connectors = ReturnType<typeof createConnectors>;

/** A connector as far as its input and its provider say it. */
type Completed = {
  connector: Omit<
    Connector,
    'id' | 'teamId' | 'clientSecretSetAt' | 'credentialsUsedAt' | 'createdAt' | 'updatedAt'
  >;
  metadata: ProviderMetadata | undefined;
};

const secretPurpose = 'connector-secret';

/** The team's connectors. A secret goes in, and comes out only to be sent to the provider it was given for. */
export function createConnectors(needs: {
  database: Database;
  clock: Clock;
  audit: Audit;
  sealing: Sealing;
  check: ConnectorCheck;
  /** Where other rooms name connectors: one that is named there is not deleted. */
  uses: readonly ConnectorUse[];
  /** What ends with a connector. */
  endOf?: (connector: Connector) => readonly Bound<unknown>[];
}) {
  const { database, clock, audit, sealing, check } = needs;
  const store = createConnectorStore(database, needs.uses);
  const keys = createConnectorKeys({ database, clock, audit, sealing, holdConnector: store.hold });

  /**
   * Finds out what the input leaves open, and holds all of it against the rules. What was found out of the same
   * issuer before stands in while its discovery does not answer, so that no save weakens a connector.
   */
  async function complete(input: CreateInput, before?: Connector): Promise<Completed> {
    validateKind(input);
    const typed = [input.issuer, input.authorizationEndpoint, input.tokenEndpoint, input.jwksUri];
    for (const url of [...typed, input.userinfoEndpoint, input.endSessionEndpoint]) {
      if (url !== undefined) check.validateUrl(url);
    }
    const { type, issuer, authorizationEndpoint, tokenEndpoint } = input;
    const verified = type === 'oidc' ? input.jwksUri : input.userinfoEndpoint;
    const mayDoWithout = [authorizationEndpoint, tokenEndpoint, verified].every((url) => url !== undefined);
    const metadata = await check.discover(issuer, type).catch((error: unknown) => {
      // Typed by hand, a provider without discovery is fine; one whose discovery names another issuer is not.
      if (mayDoWithout && error instanceof ProviderFailure && isUnreadable(error)) return undefined;
      throw error;
    });
    const found = {
      jwksUri: type === 'oidc' ? (input.jwksUri ?? metadata?.jwksUri) : undefined,
      userinfoEndpoint: input.userinfoEndpoint ?? metadata?.userinfoEndpoint,
    };
    const endpoints: Endpoints = {
      authorizationEndpoint: required(type, authorizationEndpoint ?? metadata?.authorizationEndpoint),
      tokenEndpoint: required(type, tokenEndpoint ?? metadata?.tokenEndpoint),
      ...(type === 'oidc'
        ? { ...found, jwksUri: required(type, found.jwksUri) }
        : { ...found, userinfoEndpoint: required(type, found.userinfoEndpoint) }),
      endSessionEndpoint: input.endSessionEndpoint ?? metadata?.endSessionEndpoint,
    };
    const known = before?.issuer === issuer ? before : undefined;
    validateEndpoints(input, endpoints, metadata ?? known);
    const authorizationResponseIssParameterSupported =
      (metadata ?? known)?.authorizationResponseIssParameterSupported ?? false;
    const tokenEndpointAuthMethod = chooseAuthMethod(input, metadata);
    const connector: Completed['connector'] = {
      name: input.name,
      type,
      issuer,
      clientId: input.clientId,
      hasClientSecret: input.clientSecret !== undefined,
      tokenEndpointAuthMethod,
      clientAssertionAudience: input.clientAssertionAudience ?? chooseAssertionAudience(issuer),
      ...endpoints,
      subjectClaim: input.subjectClaim ?? 'sub',
      scopes: scopesOf(type, input.scopes),
      forwardedClaims: [...new Set(input.forwardedClaims ?? [])],
      usesRefreshTokens: input.usesRefreshTokens,
      usesOwnRedirectUri: chooseOwnRedirectUri(
        input,
        { type, tokenEndpointAuthMethod, authorizationResponseIssParameterSupported },
        before,
      ),
      idTokenSigningAlgorithms: await chooseVerified(endpoints.jwksUri, metadata, known),
      authorizationResponseIssParameterSupported,
    };
    return { connector, metadata };
  }

  /** What ID tokens may be signed with, when the key set has a key for it. None where there are no ID tokens. */
  async function chooseVerified(
    jwksUri: string | undefined,
    metadata: ProviderMetadata | undefined,
    known: Connector | undefined,
  ): Promise<readonly string[]> {
    if (jwksUri === undefined) return [];
    const algorithms = metadata
      ? chooseAlgorithms(metadata)
      : (known?.idTokenSigningAlgorithms ?? signatureAlgorithms);
    await check.validateKeys(jwksUri, algorithms);
    return algorithms;
  }

  /** The key that a connector needs which proves itself by one, unless it has it. */
  async function keyFor(
    id: string,
    { connector, metadata }: Completed,
  ): Promise<Awaited<ReturnType<typeof keys.prepareFirst>>> {
    if (connector.tokenEndpointAuthMethod !== 'private_key_jwt') return [];
    return keys.prepareFirst(id, chooseKeyAlgorithm(connector.issuer, metadata));
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

    /** The oldest first. */
    async list(teamId: string, page: ConnectorPage): Promise<Connector[]> {
      return (await store.list(teamId, page)).map(({ connector }) => connector);
    },

    /** The keys with which connectors prove themselves, each its own. */
    keys,

    /** Belongs into a unit that makes something name the connector: it matches one row, or the connector is gone. */
    hold: store.hold,

    /** Says that the provider accepted the client just now. */
    markUsed: (id: string) => store.markUsed(id, clock.now()),

    /** The secret in plain text, to be sent to the connector's token endpoint and nowhere else. */
    async openSecret(id: string): Promise<string | undefined> {
      const sealed = (await store.find(id))?.clientSecretSealed;
      return sealed === undefined ? undefined : sealing.open(secretPurpose, sealed, id);
    },

    /** @throws ProviderFailure when the provider does not bear out what was typed */
    async create(teamId: string, input: CreateInput, change: Change): Promise<Connector> {
      const id = createId('scl');
      const now = clock.now();
      const completed = await complete(input);
      const connector: Connector = {
        ...completed.connector,
        id,
        teamId,
        clientSecretSetAt: input.clientSecret === undefined ? undefined : now,
        credentialsUsedAt: undefined,
        createdAt: now,
        updatedAt: now,
      };
      const clientSecretSealed =
        input.clientSecret === undefined
          ? undefined
          : await sealing.seal(secretPurpose, input.clientSecret, id);
      await database.write([
        exactly(1, store.insert({ connector, clientSecretSealed })),
        ...(await keyFor(id, completed)),
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
      if (secret === undefined && keptSecret !== undefined) refuseMovedSecret(before, completed.connector);
      const clientSecretSealed =
        typeof secret === 'string'
          ? await sealing.seal(secretPurpose, secret, id)
          : secret === null
            ? undefined
            : keptSecret;
      const updatedAt = Math.max(clock.now(), before.updatedAt + 1);
      const connector: Connector = {
        ...before,
        ...completed.connector,
        clientSecretSetAt:
          typeof secret === 'string' ? clock.now() : secret === null ? undefined : before.clientSecretSetAt,
        updatedAt,
      };
      const outcome = await database.tryWrite([
        exactly(1, store.update({ connector, clientSecretSealed }, before.updatedAt)),
        ...(await keyFor(id, completed)),
        audit.record({ ...change, action: 'connector.update', object: id, teamId, before, after: connector }),
      ]);
      if (!outcome.committed) throw publicError('connector_changed');
      return connector;
    },

    /** Deletes it with its keys, unless something names it at this very moment. @throws PublicError `not_found` */
    async delete(teamId: string, id: string, change: Change): Promise<'deleted' | 'in_use'> {
      const { connector } = await getOfTeam(teamId, id);
      const outcome = await database.tryWrite([
        store.hold(teamId, id),
        store.deleteUnused(connector),
        keys.deleteAll(id),
        ...(needs.endOf?.(connector) ?? []),
        audit.record({ ...change, action: 'connector.delete', object: id, teamId, before: connector }),
      ]);
      if (outcome.committed) return 'deleted';
      if (outcome.refusedAt === 0) throw publicError('not_found');
      return 'in_use';
    },
  };
}

function required(type: Connector['type'], endpoint: string | undefined): string {
  if (endpoint !== undefined) return endpoint;
  const last = type === 'oidc' ? 'key set' : 'userinfo endpoint';
  throw new ProviderFailure('endpoints', {
    received: 'a discovery document without all of the endpoints',
    expected: `authorization endpoint, token endpoint and ${last}`,
    mend: 'Type the missing endpoints by hand.',
  });
}
