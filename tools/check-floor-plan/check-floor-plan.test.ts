import { describe, expect, test } from 'vitest';
import { checkFloorPlan } from './check-floor-plan.ts';
import { printFinding } from './finding.ts';

const server = 'packages/server/src';
const door = '// Owns what it owns.\n';

/** Checks a small tree, in which every room that is mentioned has a door already. */
function check(files: Record<string, string>): string[] {
  const rooms = new Set(
    Object.keys(files).flatMap((path) => /^packages\/server\/src\/([^/]+)\//.exec(path)?.[1] ?? []),
  );
  const doors = Object.fromEntries([...rooms].map((room) => [`${server}/${room}/index.ts`, door]));
  const tree = Object.entries({ ...doors, ...files }).map(([path, text]) => ({ path, text }));
  return checkFloorPlan(tree).map(({ path, line, found, rule }) => `${path}:${line} ${found} | ${rule}`);
}

const one = (finding: string): unknown[] => [expect.stringContaining(finding)];

describe('an import', () => {
  test('goes down', () => {
    expect(
      check({
        [`${server}/tokens/tokens.ts`]:
          "import { createKeys } from '#keys'; import type { App } from '#apps';",
        [`${server}/database/database.ts`]: "import type { Clock } from '#clock';",
        [`${server}/compose.ts`]: "import { createApps } from '#apps'; import { createKeys } from '#keys';",
        [`${server}/main.ts`]: "import { compose } from './compose.ts';",
      }),
    ).toEqual([]);
  });

  test.each([
    ["import { createTeams } from '#teams';", 'a value'],
    ["import type { Team } from '#teams';", 'a type'],
    ["import { type Team } from '#teams';", 'a type among values'],
    ["export { createTeams } from '#teams';", 'a re-export'],
    ["export type * from '#teams';", 'a re-export of types'],
    ["export type Mine = import('#teams').Team;", 'an import inside of a type'],
  ])('does not go sideways: %s', (text) => {
    expect(check({ [`${server}/apps/apps.ts`]: `\n${text}` })).toEqual(
      one(`apps.ts:2 imports '#teams' | imports go strictly down, not sideways: 'apps' (floor 2, records)`),
    );
  });

  test('does not go sideways from a test either', () => {
    expect(check({ [`${server}/apps/apps.test.ts`]: "import { createTeams } from '#teams';" })).toEqual(
      one('not sideways'),
    );
  });

  test('does not go up', () => {
    expect(check({ [`${server}/keys/keys.ts`]: "import { createTokens } from '#tokens';" })).toEqual(
      one(`keys.ts:1 imports '#tokens' | imports go strictly down, not up`),
    );
    expect(check({ [`${server}/clock/clock.ts`]: "import { createDatabase } from '#database';" })).toEqual(
      one('not up'),
    );
  });

  test('does not go from building to building, nor from ground to ground', () => {
    expect(check({ [`${server}/pages/pages.ts`]: "import { x } from '#http';" })).toEqual(
      one('not sideways'),
    );
    expect(check({ [`${server}/logger/logger.ts`]: "import { x } from '#clock';" })).toEqual(
      one('not sideways'),
    );
  });

  test('does not reach what builds the rooms', () => {
    expect(check({ [`${server}/apps/apps.ts`]: "import { compose } from '../compose.ts';" })).toEqual(
      one("apps.ts:1 imports '../compose.ts' | imports go strictly down"),
    );
    expect(check({ [`${server}/rest/rest.ts`]: "import '../main.ts';" })).toEqual(
      one('what builds the rooms is above them'),
    );
  });

  test('closes no ring', () => {
    const findings = check({
      [`${server}/tokens/tokens.ts`]: "import { a } from '#apps';",
      [`${server}/apps/apps.ts`]: "import { b } from '#keys';",
      [`${server}/keys/keys.ts`]: "import { c } from '#tokens';",
    });
    expect(findings).toContainEqual(
      expect.stringContaining('a ring of rooms: tokens → apps → keys → tokens'),
    );
    expect(findings.filter((finding) => finding.includes('a ring'))).toHaveLength(1);
  });

  test.each(["'#apps/app-store'", "'../apps/app-store.ts'", "'../apps/index.ts'"])(
    'comes in by the door, not by %s',
    (specifier) => {
      expect(check({ [`${server}/tokens/tokens.ts`]: `import { findApp } from ${specifier};` })).toEqual(
        one("past the door: the only way into the room 'apps' is its index.ts"),
      );
      expect(
        check({ [`${server}/compose.ts`]: `import { findApp } from ${specifier.replace('../', './')};` }),
      ).toEqual(one('past the door'));
    },
  );

  test('inside of a room names the file', () => {
    expect(
      check({
        [`${server}/oauth/oauth.ts`]: "import { grants } from './token/grants.ts';",
        [`${server}/oauth/token/grants.ts`]: "import { answer } from '../answer.ts';",
        [`${server}/oauth/token/grants.test.ts`]:
          "import { answer } from '../answer.ts'; import { oauth } from '#oauth';",
      }),
    ).toEqual([]);
    expect(check({ [`${server}/apps/apps.ts`]: "import { a } from '#apps';" })).toEqual(
      one('through its own door'),
    );
  });

  test('names a room that there is', () => {
    expect(check({ [`${server}/tokens/tokens.ts`]: "import { a } from '#attic';" })).toEqual(
      one("the plan knows no room 'attic'"),
    );
  });

  test('does not lead from the product to its tests', () => {
    const text = "import { start } from '../../../../tests/harness/start.ts';";
    expect(check({ [`${server}/apps/apps.ts`]: text })).toEqual(one('does not import tests'));
    expect(check({ [`${server}/apps/apps.test.ts`]: text })).toEqual([]);
  });

  test('comes from the tests through a door', () => {
    const from = (path: string) =>
      check({ 'tests/flows/a.test.ts': `import { x } from '../../packages/${path}';` });
    expect(from('server/src/database/index.ts')).toEqual([]);
    expect(from('server/src/compose.ts')).toEqual([]);
    expect(from('protocol/src/index.ts')).toEqual([]);
    expect(from('server/src/database/sqlite.ts')).toEqual(one('past the door'));
  });

  test('of our own files is not dynamic', () => {
    expect(check({ [`${server}/tokens/tokens.ts`]: "const keys = () => import('#keys');" })).toEqual(
      one("import('#keys') | our own files are not imported dynamically"),
    );
    expect(check({ [`${server}/apps/apps.ts`]: 'const load = (name: string) => import(name);' })).toEqual(
      one('computed module'),
    );
    expect(check({ [`${server}/apps/apps.ts`]: "const load = () => import('pg');" })).toEqual([]);
    expect(
      check({ 'packages/dashboard/src/routes.ts': "const page = () => import('./apps/page.ts');" }),
    ).toEqual([]);
  });
});

describe('a package', () => {
  test('protocol imports nothing but jose', () => {
    const path = 'packages/protocol/src/pkce.ts';
    expect(
      check({ [path]: "import { decodeJwt } from 'jose'; import { scopes } from './scopes.ts';" }),
    ).toEqual([]);
    expect(check({ [path]: "import { z } from 'zod';" })).toEqual(
      one('packages/protocol imports nothing but jose'),
    );
    expect(check({ [path]: "import { createHash } from 'node:crypto';" })).toEqual(one('nothing but jose'));
    expect(
      check({ 'packages/protocol/src/pkce.test.ts': "import { test } from 'vitest'; import 'node:crypto';" }),
    ).toEqual([]);
  });

  test('contract imports nothing but zod and protocol', () => {
    const path = 'packages/contract/src/apps.ts';
    expect(check({ [path]: "import { z } from 'zod'; import { scopes } from '@tessera/protocol';" })).toEqual(
      [],
    );
    expect(check({ [path]: "import { Hono } from 'hono';" })).toEqual(
      one('nothing but zod and @tessera/protocol'),
    );
  });

  test('oidc and passport import nothing but jose, and Node only where no other runtime comes', () => {
    const text = "import { readFile } from 'node:fs/promises';";
    expect(check({ 'packages/oidc/src/exchange.ts': text })).toEqual(one('oidc imports nothing but jose'));
    expect(check({ 'packages/oidc/src/node/login.ts': text })).toEqual([]);
    expect(check({ 'packages/passport/src/node/login.ts': text })).toEqual(one('nothing but jose'));
    const other = "import { z } from 'zod';";
    expect(check({ 'packages/oidc/src/node/login.ts': other })).toEqual(one('nothing but jose'));
    const own = "import { a } from '#own-machine'; import { decodeJwt } from 'jose';";
    expect(check({ 'packages/oidc/src/get-oidc-token.ts': own })).toEqual([]);
  });

  test.each(['dashboard', 'cli'])('%s does not know the server', (name) => {
    const path = `packages/${name}/src/apps.ts`;
    expect(check({ [path]: "import { x } from '@tessera/server';" })).toEqual(
      one('does not know @tessera/server'),
    );
    expect(check({ [path]: "import { x } from '../../server/src/apps/index.ts';" })).toEqual(
      one('past the door'),
    );
    expect(check({ [path]: "import { x } from '@tessera/contract';" })).toEqual([]);
  });
});

describe('a room', () => {
  test('has a floor', () => {
    expect(check({ [`${server}/attic/attic.ts`]: '' })).toEqual(
      one("the room 'attic' | every room has a floor in the plan"),
    );
  });

  test('has a door that says what it owns', () => {
    expect(check({ [`${server}/apps/index.ts`]: "export { a } from './a.ts';\n// Too late." })).toEqual(
      one('apps/index.ts:1 no comment at the top'),
    );
    expect(checkFloorPlan([{ path: `${server}/apps/apps.ts`, text: '' }]).map(({ found }) => found)).toEqual([
      "the room 'apps' has no index.ts",
    ]);
  });

  test('holds every file but what builds the rooms', () => {
    expect(check({ [`${server}/main.test.ts`]: '', [`${server}/compose.ts`]: '' })).toEqual([]);
    expect(check({ [`${server}/apps.ts`]: '' })).toEqual(one('a file outside of every room'));
  });

  test.each([
    'let count = 0;',
    'export let count = 0;',
    'var count = 0;',
    'const cache = new Map();',
    'export const cache = new Map<string, string>();',
    'const cache = new LRUCache({ max: 10 });',
    'const seen: string[] = [];',
    'const state = { count: 0 }; function add() { state.count += 1; }',
    "const names = ['a']; function add(name: string) { names.push(name); }",
    'class Counter { static count = 0; }',
  ])('keeps no state in a module: %s', (text) => {
    expect(check({ [`${server}/apps/apps.ts`]: text })).toEqual(one('a module of a room keeps no state'));
  });

  test.each([
    "const grants = new Map([['a', 1]]);",
    'const none: readonly string[] = [];',
    'const none: ReadonlyMap<string, string> = new Map();',
    'function count() { let n = 0; n += 1; return n; }',
    "const names = ['a']; function add(names: string[]) { names.push('b'); }",
    'class Counter { static readonly most = 5; }',
    'declare const build: string;',
  ])('may have constants: %s', (text) => {
    expect(check({ [`${server}/apps/apps.ts`]: text })).toEqual([]);
  });

  test('may have state in its tests', () => {
    expect(check({ [`${server}/apps/apps.test.ts`]: 'let apps: unknown;' })).toEqual([]);
  });

  test.each([
    'process.env.TESSERA_DATA',
    "process['env'].TESSERA_DATA",
    'process?.env',
    'globalThis.process.env',
    "import { env } from 'node:process';",
    "import { env as environment } from 'process';",
    "import runtime from 'node:process'; runtime.env;",
    "import * as runtime from 'node:process'; runtime.env;",
    'const { env } = process;',
    'const { env: environment } = process;',
  ])('does not read the environment: %s', (text) => {
    expect(check({ [`${server}/config/config.ts`]: text })).toEqual(
      one('only main.ts reads the environment'),
    );
    expect(check({ [`${server}/compose.ts`]: text })).toEqual(one('only main.ts reads the environment'));
    expect(check({ [`${server}/main.ts`]: text, 'packages/cli/src/main.ts': text })).toEqual([]);
  });

  test('may have a member called env', () => {
    expect(check({ [`${server}/config/config.ts`]: 'const read = (c: { env: string }) => c.env;' })).toEqual(
      [],
    );
  });
});

describe('a table', () => {
  const migrations = { [`${server}/apps/app-migrations.ts`]: "schema.createTable('apps').execute();" };
  const naming = (path: string, text: string) => check({ ...migrations, [`${server}/${path}`]: text });

  test('is named in the store and the migrations of its room, and in tests beside', () => {
    const text = "db.selectFrom('apps as a').innerJoin('apps', 'x', 'y'); sql`delete from apps`;";
    expect(naming('apps/app-store.ts', text)).toEqual([]);
    expect(naming('apps/app-store.test.ts', text)).toEqual([]);
    expect(naming('teams/team-store.ts', "db.selectFrom('teams')")).toEqual([]);
  });

  test.each([
    "db.selectFrom('apps')",
    "db.selectFrom(['apps'])",
    "db.selectFrom('apps as a')",
    "db.insertInto('apps')",
    "db.updateTable('apps')",
    "db.deleteFrom('apps')",
    "db.selectFrom('x').leftJoin('apps', 'a', 'b')",
    'sql`select * from apps`',
    'database.prepare(\'delete from "apps"\')',
  ])('is not named elsewhere: %s', (text) => {
    const rule = "of 'apps' name the table 'apps'";
    expect(naming('teams/team-store.ts', text)).toEqual(one(rule));
    expect(naming('apps/apps.ts', text)).toEqual(one(rule));
  });

  test.each([
    "db.insertInto('apps')",
    "db.updateTable('apps')",
    "db.deleteFrom('apps')",
    'sql`delete from apps`',
  ])('is not written by a test of the whole: %s', (text) => {
    expect(check({ ...migrations, 'tests/flows/a.test.ts': text })).toEqual(one("name the table 'apps'"));
  });

  test('may be looked at by a test of the whole, for what shows at no front door', () => {
    const text = "db.selectFrom('apps').innerJoin('apps', 'x', 'y'); sql`select * from apps`;";
    expect(check({ ...migrations, 'tests/faults/a.test.ts': text })).toEqual([]);
  });

  test('has one owner', () => {
    expect(naming('teams/team-migrations.ts', "schema.createTable('apps')")).toEqual(
      one('a table belongs to one room'),
    );
  });
});

describe('a name', () => {
  test.each([
    'utils',
    'util',
    'helper',
    'helpers',
    'common',
    'shared',
    'misc',
    'lib',
    'core',
    'internal',
    'types',
  ])('%s says nothing', (name) => {
    expect(check({ [`${server}/apps/${name}.ts`]: '' })).toEqual(one(`the name '${name}.ts'`));
    expect(check({ [`tests/${name}/a.ts`]: '', [`tests/${name}/b.ts`]: '' })).toEqual(
      one(`the name '${name}'`),
    );
  });

  test('says nothing by its last word', () => {
    expect(check({ 'tools/url-utils.ts': '' })).toEqual(one("the name 'url-utils.ts'"));
    expect(check({ 'packages/protocol/src/grant-types.ts': '' })).toEqual([]);
  });

  test.each([
    'class AppServiceImpl {}',
    'class TokenManager {}',
    'interface AppDto {}',
    'type AppDto = string;',
    'interface IApp {}',
    'function createManager() {}',
    'const appManager = 1;',
  ])('of an identifier names the thing: %s', (text) => {
    expect(check({ 'bench/a.ts': text })).toEqual(one('identifiers are named by the thing'));
  });

  test('may begin with I', () => {
    expect(check({ 'bench/a.ts': 'interface Issuer {} class IpRange {}' })).toEqual([]);
  });
});

describe('a file', () => {
  test('has at most 500 lines', () => {
    expect(check({ 'tests/a.ts': '// line\n'.repeat(500) })).toEqual([]);
    expect(check({ 'tests/a.ts': '// line\n'.repeat(501) })).toEqual(one('tests/a.ts:501 501 lines'));
  });

  test.each([
    'export default 1;',
    'const a = 1; export { a as default };',
    "export { default } from 'jose';",
  ])('exports by name: %s', (text) => {
    expect(check({ 'tools/a.ts': text })).toEqual(one('a default export'));
    // Next.js finds its pages and layouts by their default exports.
    expect(check({ 'examples/nextjs/app/page.tsx': text })).toEqual([]);
    expect(check({ 'vitest.config.ts': text })).toEqual([]);
  });

  test('parses', () => {
    expect(check({ 'tools/a.ts': 'const = 1;' })).toEqual(one('every file parses'));
  });
});

test('a finding says where, what, which rule, and the mend', () => {
  const [finding] = checkFloorPlan([{ path: 'tools/a.ts', text: '\nexport default 1;' }]);
  expect(finding && printFinding(finding)).toBe(
    'tools/a.ts:2  a default export\n' +
      '  rule: exports have names, so that a thing is called the same everywhere\n' +
      '  mend: export it by its name',
  );
});
