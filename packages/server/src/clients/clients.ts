import type { App, LiveSecret } from '#apps';
import { oauthError, type OAuthError } from '#errors';
import { networkOf, type Limits } from '#limits';
import { equalInConstantTime, hashSecret } from '#sealing';
import { AssertionRefused } from './assertion-claims.ts';
import { createAssertions, type AssertionNeeds } from './assertions.ts';
import {
  failedAuthentication,
  parseClientCredentials,
  type ClientCredentials,
} from './client-credentials.ts';

export type ClientsNeeds = AssertionNeeds & { limits: Pick<Limits, 'count'> };

/**
 * The app that a request comes from. Throws OAuthError `invalid_client`, with status 429 when too many tries failed,
 * or `invalid_request` when it authenticates by two methods.
 */
export type AuthenticateClient = (request: {
  authorization: string | undefined;
  form: ReadonlyMap<string, string>;
  clientAddress: string;
}) => Promise<App>;

type Secrets = ClientCredentials & { method: 'client_secret_basic' | 'client_secret_post' };
type Assertion = ClientCredentials & { method: 'client_assertion' };

// Compared with when there is no secret, so that an unknown client takes the same time as a known one.
const nobodysHash = hashSecret('nobody');

const windowMilliseconds = 60_000;
/** Failures a minute: of one client from one network, and of a network that tries many. */
const limitOfClient = 100;
const limitOfNetwork = 600;

export function createClients(needs: ClientsNeeds): { authenticate: AuthenticateClient } {
  const { apps, database, limits } = needs;
  const assertions = createAssertions(needs);

  /**
   * Counts a wrong proof, and says so. Who has the right one is never kept waiting: secrets and keys cannot be
   * guessed, so the limit is for the noise, and nobody can lock another out with it.
   */
  async function wrongProof(clientId: string, clientAddress: string, error: OAuthError): Promise<OAuthError> {
    const network = networkOf(clientAddress);
    const outcome = await database.tryWrite([
      limits.count('client-authentication', `${clientId} ${network}`, limitOfClient, windowMilliseconds),
      limits.count('client-authentication', network, limitOfNetwork, windowMilliseconds),
    ]);
    if (outcome.committed) return error;
    return oauthError('invalid_client', 'Too many authentications failed. Wait a minute', {
      status: 429,
      headers: { 'retry-after': String(windowMilliseconds / 1000) },
    });
  }

  async function authenticateBySecret(credentials: Secrets, clientAddress: string): Promise<App> {
    const { method, clientId } = credentials;
    const found = await apps.findWithSecrets(clientId);
    const secret = findSecret(found?.secrets ?? [], hashSecret(credentials.clientSecret));
    if (found === undefined || secret === undefined) {
      const words = 'The client is unknown, or its secret is wrong or expired';
      const error = failedAuthentication(words, method === 'client_secret_basic');
      throw await wrongProof(clientId, clientAddress, error);
    }
    validateMethod(found.app, method);
    await apps.noteSecretUse(secret);
    return found.app;
  }

  async function authenticateByAssertion(presented: Assertion, clientAddress: string): Promise<App> {
    const { assertion, clientId } = presented;
    try {
      const found = await assertions.authenticate(assertion, clientId);
      if (found !== undefined) return found.app;
    } catch (error) {
      if (!(error instanceof AssertionRefused)) throw error;
      const description = `Parameter 'client_assertion'. ${error.message}`;
      const refusal = oauthError('invalid_client', description, { cause: error });
      throw error.forgedFor === undefined
        ? refusal
        : await wrongProof(error.forgedFor, clientAddress, refusal);
    }
    throw await wrongProof('', clientAddress, failedAuthentication('The client is unknown', false));
  }

  return {
    async authenticate({ authorization, form, clientAddress }) {
      const credentials = parseClientCredentials(authorization, form);
      if (credentials.method === 'client_assertion') {
        return authenticateByAssertion(credentials, clientAddress);
      }
      if (credentials.method !== 'none') return authenticateBySecret(credentials, clientAddress);
      const app = await apps.findRemembered(credentials.clientId);
      if (app === undefined) throw failedAuthentication('The client is unknown', false);
      validateMethod(app, 'none');
      return app;
    },
  };
}

/** Every live secret is compared, whichever one fits. */
function findSecret(secrets: readonly LiveSecret[], presentedHash: string): LiveSecret | undefined {
  let found: LiveSecret | undefined;
  for (const secret of secrets) if (equalInConstantTime(secret.hash, presentedHash)) found = secret;
  if (secrets.length === 0) equalInConstantTime(nobodysHash, presentedHash);
  return found;
}

/** The method is one of those registered: an app with a secret cannot fall back to none. */
function validateMethod(app: App, method: App['tokenEndpointAuthMethods'][number]): void {
  if (app.tokenEndpointAuthMethods.includes(method)) return;
  throw failedAuthentication(
    `The client authenticated with '${method}'. Registered for it: ${app.tokenEndpointAuthMethods.map((name) => `'${name}'`).join(', ')}`,
    method === 'client_secret_basic',
  );
}
