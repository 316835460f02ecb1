import type { Bound } from '#database';
import type { DoorContext } from '#http';
import type { Session } from '#sessions';
import type { User } from '#users';

/** What these doors need of other rooms, handed in by compose. */

export type FindUser = (id: string) => Promise<User | undefined>;

/** The browser that a request came from: its id outlives logins; with a session, the person behind it. */
export type Browser = {
  id: string;
  session?: Pick<Session, 'id' | 'userId' | 'authenticatedAt' | 'amr'> | undefined;
  user?: User | undefined;
};
/** Sets the browser's cookie on the answer when it has none. */
export type FindBrowser = (context: DoorContext) => Promise<Browser>;

export type FindTeamName = (teamId: string) => Promise<{ name: string } | undefined>;
/** The teams that a person is a member of. */
export type ListTeams = (userId: string) => Promise<readonly { team: { id: string; name: string } }[]>;
export type FindMembership = (teamId: string, userId: string) => Promise<{ role: string } | undefined>;

export type AttemptSteps = {
  step(reference: string, step: { step: string; outcome: 'ok' | 'failed'; detail?: string }): Bound<unknown>;
};
export type SignInAttempts = AttemptSteps & {
  begin(start: { kind: 'sign-in'; teamId: string; appId: string }): {
    reference: string;
    statement: Bound<unknown>;
  };
};
