import type { Clock } from '#clock';
import { publicError } from '#errors';
import { newDoor, publicDocument, type Door } from '#http';
import type { KeyPurpose, Keys } from '#keys';
import { discoveryDocument, keySetDocument, passportClaims, workloadClaims } from './documents.ts';
import { createKnownTeams } from './known-teams.ts';

export type IssuersNeeds = {
  keys: Keys;
  clock: Clock;
  urls: { oidc: string; passport: string };
  /** Resolves to undefined when no team has the slug. */
  findTeam(slug: string): Promise<unknown>;
};

// Verifiers ask about every ten minutes; a new key is published a day before it signs.
const cacheSeconds = 600;

/** `{oidc}`: the issuer for all and the teams' own. The key set for all has the Passport keys too (see federation.md). */
export function createOidcDoor(needs: IssuersNeeds): Door {
  const door = newDoor('problem');
  const teams = createKnownTeams(needs);
  openToAll(door);

  const discovery = async (issuer: string) =>
    discoveryDocument(issuer, await needs.keys.published(['workload']), workloadClaims);
  const keySet = async (purposes: readonly KeyPurpose[]) =>
    keySetDocument(await needs.keys.published(purposes));

  door.get('/.well-known/openid-configuration', async (c) =>
    publicDocument(c, await discovery(needs.urls.oidc), cacheSeconds),
  );
  // `@vercel/passport` looks for the Passport keys here.
  door.get('/.well-known/jwks', async (c) =>
    publicDocument(c, await keySet(['workload', 'passport']), cacheSeconds),
  );
  door.get('/:slug/.well-known/openid-configuration', async (c) => {
    const slug = await requireTeam(teams, c.req.param('slug'));
    return publicDocument(c, await discovery(`${needs.urls.oidc}/${slug}`), cacheSeconds);
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    await requireTeam(teams, c.req.param('slug'));
    return publicDocument(c, await keySet(['workload']), cacheSeconds);
  });
  return door;
}

/** `{passport}`: each team's issuer of Passport tokens. */
export function createPassportDoor(needs: IssuersNeeds): Door {
  const door = newDoor('problem');
  const teams = createKnownTeams(needs);
  openToAll(door);

  door.get('/:slug/.well-known/openid-configuration', async (c) => {
    const slug = await requireTeam(teams, c.req.param('slug'));
    const keys = await needs.keys.published(['passport']);
    return publicDocument(
      c,
      discoveryDocument(`${needs.urls.passport}/${slug}`, keys, passportClaims),
      cacheSeconds,
    );
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    await requireTeam(teams, c.req.param('slug'));
    return publicDocument(c, keySetDocument(await needs.keys.published(['passport'])), cacheSeconds);
  });
  return door;
}

async function requireTeam(teams: ReturnType<typeof createKnownTeams>, slug: string): Promise<string> {
  if (await teams.has(slug)) return slug;
  throw publicError('not_found', {
    description: 'No team has this slug, so there is no such issuer.',
    mend: 'Compare the issuer with the one on the project’s page, letter by letter.',
  });
}

/** Nothing here is secret, and verifiers run in browsers too. */
function openToAll(door: Door): void {
  door.use('*', async (c, next) => {
    await next();
    c.header('Access-Control-Allow-Origin', '*');
    c.header('Access-Control-Expose-Headers', 'ETag');
  });
  door.options('*', (c) =>
    c.body(null, 204, {
      'Access-Control-Allow-Methods': 'GET, HEAD',
      'Access-Control-Allow-Headers': '*',
      'Access-Control-Max-Age': '86400',
    }),
  );
}
