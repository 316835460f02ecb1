import type { Role } from '@tessera/contract';
import type { Codes } from '#codes';
import type { Bound, Expected } from '#database';

const purpose = 'set-up';
const day = 24 * 60 * 60 * 1000;
/** Printed at first start; a new start prints a new one. */
const administratorLifetime = day;
const invitationLifetime = 7 * day;

export type TeamInvitation = { id: string; role: Role };

/** What a set-up link is for. */
export type SetupPurpose =
  | { kind: 'administrator' }
  | { kind: 'invitation'; email: string; invitedBy: string; team?: TeamInvitation };

export type SetupLink = { url: string; statement: Bound<unknown> };

export type SetupLinks = {
  /** For the first person of an instance, who administers it. Lives a day. */
  administrator(): SetupLink;
  /** For a new person with this address, who joins the team if one is given. Lives a week. */
  invitation(invitation: { email: string; invitedBy: string; team?: TeamInvitation }): SetupLink;
  /** What a link's secret is for and whether it can be used still; undefined when it is not one of ours. */
  find(secret: string): Promise<{ purpose: SetupPurpose; state: 'live' | 'used' | 'expired' } | undefined>;
  /** Uses it up: first in the unit that makes the account. */
  redeem(secret: string): Expected;
};

/** Single-use links that let a person make their account. `origin` has no trailing slash. */
export function createSetupLinks({ codes, origin }: { codes: Codes; origin: string }): SetupLinks {
  const link = (payload: SetupPurpose, lifetime: number): SetupLink => {
    const { secret, statement } = codes.issue(purpose, payload, lifetime);
    return { url: `${origin}/setup?token=${secret}`, statement };
  };

  return {
    administrator: () => link({ kind: 'administrator' }, administratorLifetime),
    invitation: ({ email, invitedBy, team }) =>
      link({ kind: 'invitation', email, invitedBy, ...(team && { team }) }, invitationLifetime),
    async find(secret) {
      const found = await codes.find<SetupPurpose>(purpose, secret);
      return found && { purpose: found.payload, state: found.state };
    },
    redeem: (secret) => codes.redeem(purpose, secret),
  };
}
