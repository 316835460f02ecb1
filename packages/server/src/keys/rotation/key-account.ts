import type { KeyAlgorithm, KeyPurpose } from '../key.ts';
import type { KeyPolicy } from '../key-policy.ts';
import type { KeyRow, KeyState } from '../key-store.ts';
import { linesOf, ownerOf, removableFrom, stageOf, type KeyStage } from './line.ts';

/** What an administrator sees of a key: never its private half. Times in milliseconds since the epoch. */
export type KeyAccount = {
  kid: string;
  purpose: KeyPurpose;
  algorithm: KeyAlgorithm;
  /** The team whose own it is; undefined: shared. */
  teamId: string | undefined;
  stage: KeyStage;
  publishedAt: number;
  signsFrom: number;
  /** From when on it can be removed; undefined while it is to go on signing. */
  removableFrom: number | undefined;
  removedAt: number | undefined;
};

/** Every key that is published: in the order of purposes as they were made. */
export function accountsOf(state: KeyState, policy: KeyPolicy, now: number): KeyAccount[] {
  return linesOf(state, now).flatMap((line) => {
    const own = ownerOf(state, line);
    return line.rows.map((key) => ({
      ...accountOf(key, stageOf(key, line, own, now)),
      removableFrom: removableFrom(key, line, own, policy),
    }));
  });
}

export function accountOf(key: KeyRow, stage: KeyStage): KeyAccount {
  return {
    kid: key.kid,
    purpose: key.purpose as KeyPurpose,
    algorithm: key.algorithm as KeyAlgorithm,
    teamId: key.teamId === '' ? undefined : key.teamId,
    stage,
    publishedAt: key.createdAt,
    // One that had to sign at once says that it did before, for nodes whose clocks are behind.
    signsFrom: Math.max(key.activeFrom, key.createdAt),
    removableFrom: undefined,
    removedAt: key.removedAt ?? undefined,
  };
}
