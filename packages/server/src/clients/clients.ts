import type { App, Apps, LiveSecret } from '#apps';
import { equalInConstantTime, hashSecret } from '#sealing';
import { failedAuthentication, parseClientCredentials } from './client-credentials.ts';

export type ClientsNeeds = { apps: Pick<Apps, 'find' | 'findWithSecrets' | 'noteSecretUse'> };

/**
 * The app that a request comes from. Throws OAuthError `invalid_client`, or `invalid_request` when it authenticates
 * by two methods.
 */
export type AuthenticateClient = (request: {
  authorization: string | undefined;
  form: ReadonlyMap<string, string>;
}) => Promise<App>;

// Compared with when there is no secret, so that an unknown client takes the same time as a known one.
const nobodysHash = hashSecret('nobody');

export function createClients({ apps }: ClientsNeeds): { authenticate: AuthenticateClient } {
  return {
    async authenticate({ authorization, form }) {
      const credentials = parseClientCredentials(authorization, form);
      const { method, clientId } = credentials;
      const withHeader = method === 'client_secret_basic';
      if (credentials.method === 'none') {
        const app = await apps.find(clientId);
        if (app === undefined) throw failedAuthentication('The client is unknown', false);
        validateMethod(app, method);
        return app;
      }
      const found = await apps.findWithSecrets(clientId);
      const secret = findSecret(found?.secrets ?? [], hashSecret(credentials.clientSecret));
      if (found === undefined || secret === undefined) {
        throw failedAuthentication('The client is unknown, or its secret is wrong or expired', withHeader);
      }
      validateMethod(found.app, method);
      await apps.noteSecretUse(secret);
      return found.app;
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
