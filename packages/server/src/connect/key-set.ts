import type { Connectors } from '#connectors';
import { publicError } from '#errors';
import { newDoor, publicDocument, type Door } from '#http';

// A person activates a new key; until then a provider has long seen it.
const cacheSeconds = 60;

/**
 * `{connect}/connectors/{id}/jwks`: the public halves of one connector's own keys (RFC 7517), by which its provider
 * verifies client assertions. Comes before the door whose answers nobody may store.
 */
export function createConnectorKeySetDoor({
  connectors,
}: {
  connectors: Pick<Connectors, 'find' | 'keys'>;
}): Door {
  const door = newDoor('problem');
  door.get('/connectors/:id/jwks', async (context) => {
    const connector = await connectors.find(context.req.param('id'));
    if (connector === undefined) throw publicError('not_found');
    const keys = await connectors.keys.list(connector.id);
    return publicDocument(context, { keys: keys.map(({ publicJwk }) => publicJwk) }, cacheSeconds);
  });
  return door;
}
