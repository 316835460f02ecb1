import type { Context } from 'hono';
import type { Clock } from '#clock';
import { publicError } from '#errors';
import { newDoor, type Door } from '#http';
import type { KeyPurpose, Keys } from '#keys';
import {
  discoveryDocument,
  entityTag,
  isNotModified,
  keySetDocument,
  passportClaims,
  workloadClaims,
} from './documents.ts';
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

  door.get('/.well-known/openid-configuration', async (c) => answer(c, await discovery(needs.urls.oidc)));
  // `@vercel/passport` looks for the Passport keys here.
  door.get('/.well-known/jwks', async (c) => answer(c, await keySet(['workload', 'passport'])));
  door.get('/:slug/.well-known/openid-configuration', async (c) => {
    const slug = await requireTeam(teams, c.req.param('slug'));
    return answer(c, await discovery(`${needs.urls.oidc}/${slug}`));
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    await requireTeam(teams, c.req.param('slug'));
    return answer(c, await keySet(['workload']));
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
    return answer(c, discoveryDocument(`${needs.urls.passport}/${slug}`, keys, passportClaims));
  });
  door.get('/:slug/.well-known/jwks', async (c) => {
    await requireTeam(teams, c.req.param('slug'));
    return answer(c, keySetDocument(await needs.keys.published(['passport'])));
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

function answer(c: Context, document: object): Response {
  const body = JSON.stringify(document);
  const tag = entityTag(body);
  c.header('Cache-Control', `public, max-age=${cacheSeconds}`);
  c.header('ETag', tag);
  if (isNotModified(c.req.header('if-none-match'), tag)) return c.body(null, 304);
  return c.body(body, 200, { 'Content-Type': 'application/json' });
}
