import { clientAssertionAlgorithms } from '@tessera/protocol';
import {
  compactVerify,
  createLocalJWKSet,
  errors,
  type CompactJWSHeaderParameters,
  type CryptoKey,
  type FlattenedJWSInput,
  type JSONWebKeySet,
} from 'jose';
import type { App, Apps, LiveSecret } from '#apps';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { TokenRefused, type Keys } from '#keys';
import { RemoteKeysFailure, type RemoteKeys } from '#remote-keys';
import {
  AssertionRefused,
  assertionLifetimeSeconds,
  parseAssertion,
  validateClaims,
  type ClientAssertion,
} from './assertion-claims.ts';
import { createClientAssertionStore } from './client-assertion-store.ts';

export type AssertionNeeds = {
  database: Database;
  clock: Clock;
  /** `issuer`: ours, the audience of every assertion. `oidc`: the issuer of workload tokens is it, or under it. */
  issuer: string;
  tokenEndpoint: string;
  oidc: string;
  apps: Pick<Apps, 'findRemembered' | 'findWithSecrets' | 'openSecret' | 'noteSecretUse'>;
  remoteKeys: Pick<RemoteKeys, 'at'>;
  keys: Pick<Keys, 'verify'>;
  /** A workload token that is in force, with all that it rests on still there; undefined for any other. */
  findLiveWorkload(token: string): Promise<object | undefined>;
};

export type AssertionMethod = 'client_secret_jwt' | 'private_key_jwt' | 'workload_token';

// Past the last moment it is accepted, whatever the clocks of two nodes say.
const rememberedMilliseconds = (assertionLifetimeSeconds + 300) * 1000;
const pruneEveryMilliseconds = 60_000;
/** FAPI 2.0, 5.4.1: neither RS256 nor a shared secret. */
const fapiAlgorithms: readonly string[] = ['PS256', 'ES256', 'EdDSA'];

/** Client assertions (RFC 7523, 2.2): a JWT by the app's secret, by its key, or by a workload of a project of its. */
export function createAssertions(needs: AssertionNeeds) {
  const { apps, clock, database } = needs;
  const store = createClientAssertionStore(database);
  let prunedAt = 0;

  /** Signed by the app itself. Throws `AssertionRefused`. */
  async function verifyOwn(assertion: ClientAssertion, app: App, method: AssertionMethod): Promise<void> {
    const { algorithm, claims } = assertion;
    if (claims.iss !== app.id || claims.sub !== app.id) {
      throw new AssertionRefused(`Its 'iss' and 'sub' are not both the client id. Expected '${app.id}'`);
    }
    validateAlgorithm(app, algorithm);
    if (method === 'client_secret_jwt') return verifyBySecret(assertion, app);
    if (app.jwksUri !== undefined) {
      return verifySignature(assertion, app, needs.remoteKeys.at(app.jwksUri));
    }
    if (app.jwks === undefined) throw new AssertionRefused('The client has no keys registered');
    return verifyByKeySet(assertion, app, app.jwks as JSONWebKeySet);
  }

  async function verifyBySecret(assertion: ClientAssertion, app: App): Promise<void> {
    const secrets = (await apps.findWithSecrets(app.id))?.secrets ?? [];
    for (const secret of secrets) {
      const clientSecret = await apps.openSecret(secret);
      if (clientSecret !== undefined && (await isSignedWith(assertion, clientSecret))) {
        await apps.noteSecretUse(secret);
        return;
      }
    }
    if (secrets.some(({ sealed }: LiveSecret) => sealed !== undefined))
      throw signatureRefused(app, undefined);
    throw new AssertionRefused(
      "The client has no secret that was made while 'client_secret_jwt' was one of its methods",
    );
  }

  /** Minted for this very use by a build or a deployment of a project that the app is linked with. */
  async function verifyWorkload({ token, claims }: ClientAssertion, app: App): Promise<void> {
    const { iss, owner } = claims;
    const issuers = [needs.oidc, `${needs.oidc}/${String(owner)}`];
    try {
      await needs.keys.verify(token, {
        purpose: 'workload',
        type: 'JWT',
        issuer: issuers,
        audience: needs.issuer,
      });
    } catch (error) {
      if (error instanceof TokenRefused) throw new AssertionRefused(error.message, { cause: error });
      throw error;
    }
    const isLinked = app.linkedProjects.some(
      ({ projectId, environments }) =>
        projectId === claims['project_id'] && environments.includes(String(claims['environment'])),
    );
    if (!isLinked || claims['owner_id'] !== app.teamId || typeof iss !== 'string') {
      throw new AssertionRefused('It is of a project or environment that the client is not linked with');
    }
    if ('act' in claims)
      throw new AssertionRefused('It was exchanged for another. Expected one minted for this');
    const { iat = 0, exp = 0 } = claims;
    if (exp - iat > assertionLifetimeSeconds) {
      throw new AssertionRefused(`It lives longer than ${assertionLifetimeSeconds} seconds`);
    }
    // Last, since it asks the records: a token outlives neither its project nor whoever minted it.
    if ((await needs.findLiveWorkload(token)) === undefined) {
      throw new AssertionRefused(
        'What it rests on is gone: its project, environment, deployment, or the right of whoever minted it',
      );
    }
  }

  return {
    /**
     * The app that an assertion is of, and how it was made; undefined for an app that there is not. Uses the
     * assertion up. Throws `AssertionRefused`.
     *
     * @param clientId the parameter `client_id`: needed with a workload token, which names no app
     */
    async authenticate(
      token: string,
      clientId: string | undefined,
    ): Promise<{ app: App; method: AssertionMethod } | undefined> {
      const assertion = parseAssertion(token);
      const { claims, algorithm } = assertion;
      const isWorkload = claims.iss === needs.oidc || claims.iss?.startsWith(`${needs.oidc}/`) === true;
      const named = isWorkload ? clientId : claims.sub;
      if (named === undefined) {
        throw new AssertionRefused(
          isWorkload ? "A workload token names no client. Expected 'client_id' beside it" : "It has no 'sub'",
        );
      }
      if (clientId !== undefined && clientId !== named) {
        throw new AssertionRefused("Its 'sub' is another client than 'client_id'");
      }
      const method: AssertionMethod = isWorkload
        ? 'workload_token'
        : algorithm.startsWith('HS')
          ? 'client_secret_jwt'
          : 'private_key_jwt';
      const app = await apps.findRemembered(named);
      if (app === undefined) return undefined;
      const { id } = validateClaims(claims, {
        audience: needs.issuer,
        alsoAudience: isWorkload || app.strictAssertionAudience ? undefined : needs.tokenEndpoint,
        now: clock.now(),
      });
      if (!app.tokenEndpointAuthMethods.includes(method)) {
        throw new AssertionRefused(
          `It is by '${method}'. Registered for the client: ${app.tokenEndpointAuthMethods.join(', ')}`,
        );
      }
      await (isWorkload ? verifyWorkload(assertion, app) : verifyOwn(assertion, app, method));
      await use(app.id, id);
      return { app, method };
    },
  };

  async function use(clientId: string, id: string): Promise<void> {
    const isTimeToPrune = clock.now() - prunedAt > pruneEveryMilliseconds;
    if (isTimeToPrune) prunedAt = clock.now();
    const outcome = await database.tryWrite([
      store.use(clientId, id, rememberedMilliseconds),
      ...(isTimeToPrune ? [store.deleteExpired()] : []),
    ]);
    if (!outcome.committed) throw new AssertionRefused("It was used before: its 'jti' is not new");
  }
}

/** The algorithm is what was registered, never the token's wish (RFC 8725, 3.1). */
function validateAlgorithm(app: App, algorithm: string): void {
  const name = algorithm === 'Ed25519' ? 'EdDSA' : algorithm;
  const { tokenEndpointAuthSigningAlg: registered } = app;
  const allowed =
    app.securityProfile === 'fapi2'
      ? fapiAlgorithms.filter((one) => registered === undefined || one === registered)
      : registered === undefined
        ? clientAssertionAlgorithms
        : [registered];
  if ((allowed as readonly string[]).includes(name)) return;
  throw new AssertionRefused(
    `It is signed with '${algorithm.slice(0, 20)}'. Expected ${allowed.join(' or ')}`,
  );
}

type FindKey = (header: CompactJWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/** A key set without key ids may have several keys that could be meant. */
async function verifyByKeySet(assertion: ClientAssertion, app: App, jwks: JSONWebKeySet): Promise<void> {
  try {
    await compactVerify(assertion.token, createLocalJWKSet(jwks), { algorithms: [assertion.algorithm] });
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      for await (const key of error) {
        if (await isSignedBy(assertion, key)) return;
      }
    }
    throw signatureRefused(app, error);
  }
}

async function verifySignature(assertion: ClientAssertion, app: App, findKey: FindKey): Promise<void> {
  try {
    await compactVerify(assertion.token, findKey, { algorithms: [assertion.algorithm] });
  } catch (error) {
    throw signatureRefused(app, error);
  }
}

function isSignedBy({ token, algorithm }: ClientAssertion, key: CryptoKey): Promise<boolean> {
  return compactVerify(token, key, { algorithms: [algorithm] }).then(
    () => true,
    () => false,
  );
}

function isSignedWith({ token }: ClientAssertion, secret: string): Promise<boolean> {
  return compactVerify(token, new TextEncoder().encode(secret), { algorithms: ['HS256'] }).then(
    () => true,
    () => false,
  );
}

function signatureRefused({ id }: App, cause: unknown): AssertionRefused {
  if (cause instanceof RemoteKeysFailure) {
    return new AssertionRefused(`No key of the client verifies it: ${cause.message}`, { cause });
  }
  return new AssertionRefused('Its signature does not fit a key or secret of the client', {
    cause,
    forgedFor: id,
  });
}
