import { createHash } from 'node:crypto';
import { createOpaqueToken } from '../../packages/protocol/src/index.ts';
import { introspectionRequest, tokenRequest } from '../client.ts';
import type { Figure } from '../figure.ts';
import { copyRow, fill, spreadKey } from '../fill.ts';
import { measure } from '../load/load.ts';
import { askAnew, connections, measureSides, type OtherSide, type Side } from '../rounds.ts';
import { createSignIn, startWorld } from '../sign-in.ts';

const few = 10_000;
const scope = 'profile offline_access';
const day = 24 * 3_600_000;
/** Tokens whose text is known, somewhere among the others: the ones that are introspected. */
const known = 2_000;

/**
 * Introspection and rotation with ten million tokens in the database, against ten thousand: half of them access
 * tokens, half refresh tokens, in families of five. `--count` makes it fewer.
 */
export const growth: Figure = async (say, count = 10_000_000) => {
  async function startWith(tokens: number) {
    const { urls, world, server, databaseFile } = await startWorld(say);
    const { client, signIn } = await createSignIn(urls, world, scope);
    const { access_token: first = '' } = await signIn();
    const half = Math.ceil(tokens / 2);
    const family = `'fam_' || printf('%024d', i / 5)`;
    fill(
      databaseFile,
      Math.ceil(half / 5),
      [
        {
          table: 'tokenFamilies',
          where: '1',
          columns: {
            id: `'fam_' || printf('%024d', i)`,
            sid: `'sid_' || printf('%024d', i)`,
            expiresAt: '"row"."expiresAt" + i',
          },
        },
      ],
      say,
    );
    fill(
      databaseFile,
      half,
      [
        {
          table: 'accessTokens',
          where: '"familyId" is not null',
          columns: {
            hash: spreadKey(half),
            familyId: family,
            expiresAt: `"row"."expiresAt" + ${day} + i`,
          },
        },
        {
          table: 'refreshTokens',
          where: '1',
          columns: {
            hash: spreadKey(half),
            familyId: family,
            accessHash: spreadKey(half),
            createdAt: '"row"."createdAt" + i / 1000',
          },
        },
      ],
      say,
    );
    const tokensOfText = addKnownTokens(databaseFile, first);
    const asked = introspectionRequest(`${urls.api}/login/oauth/token/introspect`, client, '');
    const variants = tokensOfText.map((token) => ({ body: new URLSearchParams({ token }).toString() }));
    const refreshTokens = () =>
      Promise.all(Array.from({ length: connections }, async () => (await signIn()).refresh_token ?? ''));
    const name = `with ${tokens} tokens`;
    const introspection: Side = {
      name,
      server,
      measure: (seconds) => measure({ ...asked, variants, connections, seconds }),
    };
    const refresh: Side = {
      name,
      server,
      measure: askAnew(async () => ({
        ...tokenRequest(`${urls.api}/login/oauth/token`, client),
        refreshTokens: await refreshTokens(),
      })),
    };
    return { introspection, refresh, server };
  }

  const [many, little] = [await startWith(count), await startWith(few)];
  const against = (side: Side): OtherSide => ({ ...side, atLeast: 1 / 1.3, byP50: true });
  try {
    return [
      await measureSides(
        'growth: introspection, p50',
        many.introspection,
        [against(little.introspection)],
        say,
      ),
      await measureSides('growth: refresh, p50', many.refresh, [against(little.refresh)], say),
    ];
  } finally {
    await Promise.all([many, little].map(({ server }) => server.stop()));
  }
};

/** Makes copies of an access token that was given, each with a text of its own; answers with the texts. */
function addKnownTokens(databaseFile: string, given: string): string[] {
  const prefix = given.slice(0, given.indexOf('_') + 1);
  const texts = Array.from({ length: known }, () => createOpaqueToken(prefix));
  const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url');
  copyRow(databaseFile, { table: 'accessTokens', key: 'hash', of: hashOf(given) }, texts.map(hashOf));
  return texts;
}
