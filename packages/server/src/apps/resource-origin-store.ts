import { exactly, type Database, type Expected } from '#database';
import type { App } from './app.ts';

export type ResourceOriginTables = { resourceOrigins: { origin: string; teamId: string } };

/**
 * The origins of the resource servers that an app asks for or is; of a URI without an origin (`urn:…`) all of it.
 * Loopback is everybody's own machine, so it is nobody's origin.
 */
export function resourceOriginsOf(app: Pick<App, 'resources' | 'protectedResources'>): string[] {
  const origins = [...app.resources, ...app.protectedResources].flatMap((resource) => {
    const url = URL.parse(resource);
    if (url === null || isLoopback(url.hostname)) return [];
    return [url.origin === 'null' ? url.href : url.origin];
  });
  // In one order, so that two units never wait for each other.
  return [...new Set(origins)].toSorted();
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/** Which team an origin of resource servers belongs to: the first whose app listed it, and never another's. */
export function createResourceOriginStore(database: Database) {
  const query = database.queries<ResourceOriginTables>();
  // One statement takes or confirms: of two teams at once, one changes no row.
  const claim = database.statement<ResourceOriginTables['resourceOrigins']>()((value) =>
    query
      .insertInto('resourceOrigins')
      .values({ origin: value('origin'), teamId: value('teamId') })
      .onConflict((conflict) =>
        conflict
          .column('origin')
          .doUpdateSet({ teamId: value('teamId') })
          .where('resourceOrigins.teamId', '=', value('teamId')),
      ),
  );
  return {
    /** Refused when the origin is another team's. */
    claim: (origin: string, teamId: string): Expected => exactly(1, claim({ origin, teamId })),
  };
}
