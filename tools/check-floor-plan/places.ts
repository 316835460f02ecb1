import { posix } from 'node:path';
import { aboveTheRooms, floors } from './plan.ts';

const serverSource = 'packages/server/src/';

/** Where a file of the repository stands. */
export interface Place {
  path: string;
  isTest: boolean;
  /** The folder under packages/, or null: tests, tools, benchmarks and examples are no package of the house. */
  packageName: string | null;
  /** The room of the server, or null: another package, or what stands above the rooms. */
  room: string | null;
  isAboveTheRooms: boolean;
}

export function locate(path: string): Place {
  const isTest = /\.test\.tsx?$/.test(path);
  const packageName = /^packages\/([^/]+)\//.exec(path)?.[1] ?? null;
  if (!path.startsWith(serverSource))
    return { path, isTest, packageName, room: null, isAboveTheRooms: false };
  const [first = '', ...rest] = path.slice(serverSource.length).split('/');
  const isAboveTheRooms = aboveTheRooms.includes(first.split('.')[0] ?? '');
  const room = isAboveTheRooms || rest.length === 0 ? null : first;
  return { path, isTest, packageName, room, isAboveTheRooms };
}

/** The floor of a room, counted from the ground; null when the plan does not know it. */
export function levelOf(room: string): number | null {
  const fromTop = floors.findIndex(({ rooms }) => rooms.includes(room));
  return fromTop === -1 ? null : floors.length - 1 - fromTop;
}

export function floorName(room: string): string {
  return floors.find(({ rooms }) => rooms.includes(room))?.name ?? 'unknown';
}

export type Target =
  | { kind: 'file'; place: Place }
  | { kind: 'door'; room: string }
  | { kind: 'package'; name: string; path: string };

/** What an import leads to. Only the server has `#` doors. */
export function resolveImport(from: Place, specifier: string): Target {
  if (specifier.startsWith('.')) {
    return { kind: 'file', place: locate(posix.join(posix.dirname(from.path), specifier)) };
  }
  if (specifier.startsWith('#') && from.packageName === 'server') {
    const name = specifier.slice(1);
    return name.includes('/')
      ? { kind: 'file', place: locate(`${serverSource}${name}`) }
      : { kind: 'door', room: name };
  }
  const [first = '', second = '', ...rest] = specifier.split('/');
  return first.startsWith('@')
    ? { kind: 'package', name: `${first}/${second}`, path: rest.join('/') }
    : { kind: 'package', name: first, path: [second, ...rest].filter(Boolean).join('/') };
}
