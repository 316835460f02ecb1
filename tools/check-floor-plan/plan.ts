// The plan of the house, as data. What the check refuses follows from this file; to move a room, move it here.

/**
 * The rooms of packages/server/src, top to bottom. An import goes strictly down: never sideways, never up.
 * The lowest floor has two levels: what is built on the ground may stand on it, and on nothing else.
 */
export const floors: readonly { name: string; rooms: readonly string[] }[] = [
  {
    name: '4, doors',
    rooms: ['oauth', 'connect', 'gateway', 'issuers', 'rest', 'console', 'account'],
  },
  {
    name: '3, abilities',
    rooms: ['clients', 'credentials', 'tokens', 'logout', 'protection', 'workloads', 'providers'],
  },
  {
    name: '2, records',
    rooms: [
      'users',
      'teams',
      'projects',
      'deployments',
      'apps',
      'consents',
      'sessions',
      'connectors',
      'visitors',
      'attempts',
      'requests',
      'api-tokens',
    ],
  },
  {
    name: '1, services',
    rooms: ['keys', 'codes', 'dpop', 'changes', 'audit', 'jobs', 'mail', 'limits'],
  },
  {
    name: '0, building',
    rooms: ['http', 'database', 'sealing', 'remote-keys', 'passwords', 'pages', 'fetch', 'dns'],
  },
  { name: '0, ground', rooms: ['config', 'clock', 'logger', 'errors'] },
];

/** What stands above the rooms and builds them: may import every room, and no room may import it. */
export const aboveTheRooms: readonly string[] = [
  'main',
  'compose',
  'compose-federation',
  'compose-keys',
  'compose-listeners',
  'compose-runtime-tokens',
  'migrations',
  'purges',
  'rest-doors',
];

/** The one file of the server that may read the environment. */
export const environmentReader = 'packages/server/src/main.ts';

/**
 * What a package may import. `only` closes the list: neither Node's own modules nor another package; the files under
 * `inNode` may have Node's besides. `not` names the packages of the house that it may not know. A package that is not
 * listed here may import what it likes.
 */
export const packages: Readonly<
  Record<string, { only?: readonly string[]; inNode?: readonly string[]; not?: readonly string[] }>
> = {
  protocol: { only: ['jose'] },
  contract: { only: ['zod', '@tessera/protocol'] },
  server: { not: ['@tessera/dashboard', '@tessera/cli', '@tessera/oidc', '@tessera/passport'] },
  dashboard: { not: ['@tessera/server', '@tessera/cli'] },
  cli: { not: ['@tessera/server', '@tessera/dashboard'] },
  // Everything else of it runs in edge runtimes and browsers too.
  oidc: {
    only: ['jose'],
    inNode: ['packages/oidc/src/node/', 'packages/oidc/src/request-context.ts'],
  },
  passport: { only: ['jose'] },
};

/** Tests beside what they test may use these besides. */
export const testTools: readonly string[] = ['vitest', 'fast-check'];

/** The dashboard loads its routes when they are visited. */
export const mayImportLazily: readonly string[] = ['packages/dashboard/'];

/** Names that say nothing of what is inside, as a whole name of a file or folder. */
export const emptyNames: readonly string[] = [
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'shared',
  'misc',
  'lib',
  'core',
  'internal',
  'types',
];

/** The same, as the last word of a longer name: `url-utils.ts`. */
export const emptyLastWords: readonly string[] = ['utils', 'util', 'helpers', 'helper', 'misc'];

/** Endings of identifiers that name the machinery and not the thing. */
export const emptyEndings: readonly string[] = ['Impl', 'Manager', 'Dto'];

export const longestFile = 500;
