import { randomBase62 } from './base62.ts';

const ID_LENGTH = 24;

/** What each kind of id begins with, before its `_`. */
export type IdPrefix =
  | 'usr'
  | 'team'
  | 'prj'
  | 'dpl'
  | 'dom'
  | 'scl'
  | 'sclt'
  | 'cl'
  | 'sid'
  | 'psid'
  | 'tok'
  | 'sec'
  | 'fam'
  | 'req'
  | 'att'
  | 'aud'
  | 'con'
  | 'pol'
  | 'key'
  | 'jti'
  | 'inv'
  | 'job'
  | 'blo'
  | 'dva'
  | 'pbs'
  | 'shl';

/**
 * The connectors that are built in. A visitor of the first signs in with their account at the platform itself; one of
 * the second has told a password and is nobody in particular. Both stand where a connector's id stands; no team has them.
 */
export const platformConnectorId = 'scl_platform';
export const passwordConnectorId = 'scl_password';

/** A new id: `prj_` and 24 base62 characters (142 bit). Ids are public; they are never the only thing asked for. */
export function createId(prefix: IdPrefix): string {
  return `${prefix}_${randomBase62(ID_LENGTH)}`;
}

/** Whether a string has the form of an id of this kind. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return value.startsWith(`${prefix}_`) && /^[0-9A-Za-z]{24}$/.test(value.slice(prefix.length + 1));
}

/** The reference of a sign-in attempt or a request: what people read out to support. */
export function createReference(): string {
  return `ref_${randomBase62(16)}`;
}

export function isReference(value: string): boolean {
  return /^ref_[0-9A-Za-z]{16}$/.test(value);
}
