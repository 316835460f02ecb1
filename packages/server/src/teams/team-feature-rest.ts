import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Team } from './team.ts';
import type { Teams } from './teams.ts';

export type TeamFeatureRestNeeds = {
  teams: Pick<Teams, 'find' | 'findBySlug' | 'setPassport'>;
  findUser: (id: string) => Promise<{ isInstanceAdmin: boolean } | undefined>;
  /** The projects of a team that had Passport on in the present month. */
  passportUsage: (teamId: string) => Promise<{ month: string; projects: readonly unknown[] }>;
};

/** `/v1/teams/{idOrSlug}/features`: what a team may use, for instance administrators, who need not be of the team. */
export function createTeamFeatureRest(needs: TeamFeatureRestNeeds): readonly RestDoor[] {
  const { teams } = needs;

  async function getTeam(administratorId: string, idOrSlug: string): Promise<Team> {
    if ((await needs.findUser(administratorId))?.isInstanceAdmin !== true) {
      throw publicError('forbidden', {
        description: 'Only instance administrators see and change what teams may use.',
      });
    }
    const team = (await teams.find(idOrSlug)) ?? (await teams.findBySlug(idOrSlug));
    if (team !== undefined) return team;
    throw publicError('not_found', { description: `There is no team "${idOrSlug}".` });
  }

  async function answerOf({ id, slug, name, passportEnabled }: Team) {
    const { month, projects } = await needs.passportUsage(id);
    return {
      teamId: id,
      slug,
      name,
      features: { passport: passportEnabled },
      usage: { month, passportProjects: projects.length },
    };
  }

  return [
    restDoor(getRoute('team-features.get'), async ({ caller, params }) =>
      answerOf(await getTeam(caller.userId, params.idOrSlug)),
    ),
    restDoor(getRoute('team-features.update'), async ({ caller, params, body, reference }) => {
      const { id } = await getTeam(caller.userId, params.idOrSlug);
      return answerOf(await teams.setPassport(id, body.passport, { actor: caller.id, reference }));
    }),
  ];
}
