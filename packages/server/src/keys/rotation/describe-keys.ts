import type { KeyAccount } from './key-account.ts';
import { outsideNote } from './outside.ts';
import type { Revocation } from './rotation.ts';

const time = (milliseconds: number | undefined) =>
  milliseconds === undefined ? '' : new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');

/** Keys as a table for a terminal. */
export function describeKeys(keys: readonly KeyAccount[]): string {
  const rows = [
    ['STAGE', 'PURPOSE', 'ALG', 'TEAM', 'SIGNS FROM', 'REMOVABLE FROM', 'KID'],
    ...keys.map((key) => [
      key.stage,
      key.purpose,
      key.algorithm,
      key.teamId ?? '-',
      time(key.signsFrom),
      key.removedAt === undefined ? time(key.removableFrom) || '-' : `gone ${time(key.removedAt)}`,
      key.kid,
    ]),
  ];
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What a revocation did and what it could not do, for a terminal. */
export function describeRevocation({ revoked, replacements, cachedUntil, tokensEndBy }: Revocation): string {
  return [
    describeKeys([...revoked, ...replacements]),
    '',
    outsideNote,
    `cachedUntil: ${time(cachedUntil)}`,
    `tokensEndBy: ${time(tokensEndBy)}`,
  ].join('\n');
}
