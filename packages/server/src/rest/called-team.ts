import { isId } from '@tessera/protocol';
import type { Role, Route } from '@tessera/contract';
import { publicError, type PublicError } from '#errors';
import type { CalledTeam, Caller } from '#http';

type Team = Omit<CalledTeam, 'role'>;

export type CalledTeamNeeds = {
  findTeam: (id: string) => Promise<Team | undefined>;
  findTeamBySlug: (slug: string) => Promise<Team | undefined>;
  findMembership: (teamId: string, userId: string) => Promise<{ role: Role } | undefined>;
  listTeamsOfUser: (userId: string) => Promise<readonly { team: Team; role: Role }[]>;
};

/**
 * Finds the team that a call names, with the caller's role there. For somebody outside there is no difference between
 * a team that exists and one that does not: both are Not Found, in the same words.
 */
export function createCalledTeamReader(needs: CalledTeamNeeds) {
  const { findTeam, findTeamBySlug, findMembership, listTeamsOfUser } = needs;

  return async (
    route: Route,
    caller: Caller,
    params: Record<string, unknown>,
    query: Record<string, unknown>,
  ): Promise<CalledTeam | undefined> => {
    if (route.team === 'none') return undefined;
    // `@vercel/oidc` sends a slug as `teamId`; names never begin like an id, so either may stand in either.
    const inPath = route.team === 'path' ? params['id'] : undefined;
    const [name, ...others] = [inPath, query['teamId'], query['slug']].filter(
      (named) => typeof named === 'string',
    );
    if (name === undefined) return getOnlyTeam(caller);
    const team = await getTeam(name, caller);
    const other = others.find((named) => named !== team.slug && named !== team.id);
    if (other !== undefined) {
      throw publicError('bad_request', {
        description: `The call names two teams: "${name}" and "${other}".`,
      });
    }
    return team;
  };

  async function getTeam(idOrSlug: string, caller: Caller): Promise<CalledTeam> {
    const team = isId('team', idOrSlug) ? await findTeam(idOrSlug) : await findTeamBySlug(idOrSlug);
    if (team === undefined || !isWithin(caller, team.id)) throw unknownTeam(idOrSlug);
    // A policy is bounded by what it gives, not by anybody's role; who gave it, held it.
    if (caller.kind === 'trust-policy') return { ...team, role: 'owner' };
    const membership = await findMembership(team.id, caller.userId);
    if (membership === undefined) throw unknownTeam(idOrSlug);
    return { ...team, role: membership.role };
  }

  async function getOnlyTeam(caller: Caller): Promise<CalledTeam> {
    if (caller.teamId !== undefined) return getTeam(caller.teamId, caller);
    const teams = isForAllTeams(caller) ? await listTeamsOfUser(caller.userId) : [];
    const [only] = teams;
    if (only !== undefined && teams.length === 1) return { ...only.team, role: only.role };
    throw publicError('team_required', {
      description:
        teams.length === 0
          ? 'The call is about a team, and names none.'
          : `The call is about a team, and names none. You are in ${teams.length}.`,
    });
  }
}

/** A token of one team is nobody in every other; an app's token without a team is for the person's profile alone. */
function isWithin(caller: Caller, teamId: string): boolean {
  return caller.teamId === undefined ? isForAllTeams(caller) : caller.teamId === teamId;
}

function isForAllTeams({ kind, permissions, teamId }: Caller): boolean {
  return teamId === undefined && (kind === 'api-token' || permissions === 'role');
}

function unknownTeam(name: string): PublicError {
  return publicError('not_found', { description: `There is no team "${name}" that you are in.` });
}
