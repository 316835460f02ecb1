import type { Clock } from '#clock';
import { publicError } from '#errors';
import { newDoor, publicDocument, type Door } from '#http';
import { keySetMaxAgeSeconds, type KeyPurpose, type Keys } from '#keys';
import { discoveryDocument, keySetDocument, passportClaims, workloadClaims } from './documents.ts';
import { createKnownTeams } from './known-teams.ts';

export type IssuersNeeds = {
  keys: Keys;
  clock: Clock;
  urls: { oidc: string; passport: string };
  /** Resolves to undefined when no team has the slug. */
  findTeam(slug: string): Promise<{ id: string } | undefined>;
};

// No key signs before it was published for longer than this.
const cacheSeconds = keySetMaxAgeSeconds;

/** `{oidc}`: the issuer for all and the teams' own. The key set for all has the Passport keys too (see federation.md). */
export function createOidcDoor(needs: IssuersNeeds): Door {
  const door = newDoor('problem');
  const teams = createKnownTeams(needs);
  openToAll(door);

  const discovery = async (issuer: string, teamId?: string) =>
    discoveryDocument(issuer, await needs.keys.published(['workload'], teamId), workloadClaims);
  const keySet = async (purposes: readonly KeyPurpose[], teamId?: string) =>
    keySetDocument(await needs.keys.published(purposes, teamId));

  door.get('/.well-known/openid-configuration', async (c) =>
    publicDocument(c, await discovery(needs.urls.oidc), cacheSeconds),
  );
  // `@vercel/passport` looks for the Passport keys here.
  door.get('/.well-known/jwks', async (c) =>
    publicDocument(c, await keySet(['workload', 'passport']), cacheSeconds),
  );
  door.get('/:slug/.well-known/openid-configuration', async (c) => {
    const slug = c.req.param('slug');
    const teamId = await requireTeam(teams, slug);
    return publicDocument(c, await discovery(`${needs.urls.oidc}/${slug}`, teamId), cacheSeconds);
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    const teamId = await requireTeam(teams, c.req.param('slug'));
    return publicDocument(c, await keySet(['workload'], teamId), cacheSeconds);
  });
  return door;
}

/** `{passport}`: each team's issuer of Passport tokens. */
export function createPassportDoor(needs: IssuersNeeds): Door {
  const door = newDoor('problem');
  const teams = createKnownTeams(needs);
  openToAll(door);

  door.get('/:slug/.well-known/openid-configuration', async (c) => {
    const slug = c.req.param('slug');
    const keys = await needs.keys.published(['passport'], await requireTeam(teams, slug));
    return publicDocument(
      c,
      discoveryDocument(`${needs.urls.passport}/${slug}`, keys, passportClaims),
      cacheSeconds,
    );
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    const keys = await needs.keys.published(['passport'], await requireTeam(teams, c.req.param('slug')));
    return publicDocument(c, keySetDocument(keys), cacheSeconds);
  });
  return door;
}

async function requireTeam(teams: ReturnType<typeof createKnownTeams>, slug: string): Promise<string> {
  const teamId = await teams.find(slug);
  if (teamId !== undefined) return teamId;
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
