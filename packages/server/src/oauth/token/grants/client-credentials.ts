import { parseScope } from '@tessera/protocol';
import type { Database } from '#database';
import { oauthError } from '#errors';
import type { Tokens } from '#tokens';
import { parseResources } from '../../resources.ts';
import type { Grant } from '../grant.ts';

/**
 * RFC 6749, 4.4: an app for itself. Its `sub` is the client id, whose prefix no person's has. Scopes about people
 * mean nothing here, so there is none to have yet.
 */
export function createClientCredentialsGrant(needs: {
  /** The base URL of our own API. */
  api: string;
  database: Pick<Database, 'write'>;
  tokens: Tokens;
}): Grant {
  return {
    grantType: 'client_credentials',
    async issue({ client, form, context }) {
      const asked = parseScope(form.get('scope') ?? '');
      if (asked === undefined) throw oauthError('invalid_scope', "Parameter 'scope'. Malformed");
      if (asked.length > 0) {
        throw oauthError(
          'invalid_scope',
          "Parameter 'scope'. No scope is available to an app acting for itself: leave the parameter out",
        );
      }
      const reach = { scopes: [], resources: parseResources(form, client, needs.api) };
      const { statements, ...tokens } = await needs.tokens.prepareForClient(client.id, reach, context);
      await needs.database.write(statements);
      return tokens;
    },
  };
}
