import {
  getRoute,
  pageOf,
  type MemberDocument,
  type Rename,
  type Role,
  type TeamDocument,
} from '@tessera/contract';
import type { Audit } from '#audit';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Team } from './team.ts';
import type { Teams } from './teams.ts';

type Person = { id: string; email: string; name: string | undefined };

export type TeamRestNeeds = {
  teams: Teams;
  database: Database;
  audit: Audit;
  users: {
    find(id: string): Promise<Person | undefined>;
    findByEmail(email: string): Promise<Person | undefined>;
  };
  /** The connector, if it is the team's. */
  findConnector: (teamId: string, connectorId: string) => Promise<{ id: string } | undefined>;
  /** What a new slug breaks; undefined when it is none. */
  describeRename: (teamId: string, slug: string | undefined) => Promise<Rename | undefined>;
  /** A link by which somebody without an account gets one, and becomes a member. */
  invitation: (invitation: { email: string; invitedBy: string; team: { id: string; role: Role } }) => {
    url: string;
    statement: Bound<unknown>;
  };
};

/** REST doors of teams and their members. */
export function createTeamRest(needs: TeamRestNeeds): readonly RestDoor[] {
  const { teams, users, findConnector } = needs;

  return [
    restDoor(getRoute('teams.create'), async ({ body, caller, reference }) => {
      // A token of one team is for that team: it founds no other.
      if (caller.teamId !== undefined) {
        throw publicError('forbidden', { description: 'This token is bound to one team.' });
      }
      const team = await teams.create({
        userId: caller.userId,
        slug: body.slug,
        name: body.name ?? body.slug,
        actor: caller.id,
        reference,
      });
      return documentOf(team, 'owner');
    }),

    restDoor(getRoute('teams.list'), async ({ caller, query }) => {
      if (caller.teamId !== undefined) {
        const [team, membership] = await Promise.all([
          teams.find(caller.teamId),
          teams.findMembership(caller.teamId, caller.userId),
        ]);
        const own = team !== undefined && membership !== undefined ? [documentOf(team, membership.role)] : [];
        return { teams: own, pagination: { next: null } };
      }
      const found = await teams.listForUser(caller.userId, {
        after: query.cursor,
        limit: query.limit + 1,
      });
      const { rows, pagination } = pageOf(
        found.map(({ team, role }) => documentOf(team, role)),
        query.limit,
      );
      return { teams: rows, pagination };
    }),

    restDoor(getRoute('teams.get'), async ({ team }) => documentOf(await getTeam(team.id), team.role)),

    restDoor(getRoute('teams.update'), async ({ team, query, body, caller, reference }) => {
      const { defaultPassport, slug, name, workloadAlgorithm } = body;
      if (defaultPassport != null && !(await findConnector(team.id, defaultPassport.connectorId))) {
        throw publicError('unknown_connector', {
          description: `The team has no identity provider application "${defaultPassport.connectorId}".`,
        });
      }
      const change = {
        ...(slug === undefined ? {} : { slug }),
        ...(name === undefined ? {} : { name }),
        ...(workloadAlgorithm === undefined ? {} : { workloadAlgorithm }),
        ...(defaultPassport === undefined ? {} : { defaultPassport: defaultPassport ?? undefined }),
      };
      const rename = await needs.describeRename(team.id, slug);
      const answerOf = (after: Team) => ({
        ...documentOf(after, team.role),
        ...(rename === undefined ? {} : { rename }),
      });
      if (query.dryRun) return answerOf(await teams.preview(team.id, change));
      return answerOf(await teams.update(team.id, change, { actor: caller.id, reference, rename }));
    }),

    restDoor(getRoute('members.list'), async ({ team, query }) => {
      const found = await teams.listMembers(team.id, {
        after: query.cursor,
        limit: query.limit + 1,
      });
      const { rows, pagination } = pageOf(
        found.map((membership) => ({ ...membership, id: membership.userId })),
        query.limit,
      );
      const members = await Promise.all(
        rows.map(async ({ userId, role, createdAt }) => {
          const person = await users.find(userId);
          return { userId, email: person?.email ?? '', name: person?.name ?? null, role, createdAt };
        }),
      );
      return { members: members satisfies MemberDocument[], pagination };
    }),

    restDoor(getRoute('members.add'), async ({ team, body, caller, reference }) => {
      const person = await users.findByEmail(body.email);
      if (person === undefined) return inviteMember(team.id, body, caller, reference);
      const { createdAt } = await teams.createMembership(
        { teamId: team.id, userId: person.id, role: body.role },
        { actor: caller.id, reference },
      );
      return {
        userId: person.id,
        email: person.email,
        name: person.name ?? null,
        role: body.role,
        createdAt,
        invitation: null,
      };
    }),

    restDoor(getRoute('members.update'), async ({ team, params, body, caller, reference }) => {
      const { userId, role, createdAt } = await teams.updateMembership(
        { teamId: team.id, userId: params.userId, role: body.role },
        { actor: caller.id, reference },
      );
      const person = await users.find(userId);
      return { userId, email: person?.email ?? '', name: person?.name ?? null, role, createdAt };
    }),

    restDoor(getRoute('members.remove'), async ({ team, params, caller, reference }) => {
      await teams.deleteMembership(team.id, params.userId, { actor: caller.id, reference });
    }),
  ];

  async function getTeam(id: string): Promise<Team> {
    const team = await teams.find(id);
    if (team === undefined) throw publicError('not_found');
    return team;
  }

  async function inviteMember(
    teamId: string,
    { email, role }: { email: string; role: Role },
    caller: { id: string; userId: string },
    reference: string,
  ) {
    const { url, statement } = needs.invitation({
      email,
      invitedBy: caller.userId,
      team: { id: teamId, role },
    });
    await needs.database.write([
      statement,
      needs.audit.record({
        actor: caller.id,
        action: 'member.invite',
        object: teamId,
        teamId,
        after: { email, role },
        reference,
      }),
    ]);
    return { userId: null, email, name: null, role, createdAt: null, invitation: { url } };
  }
}

function documentOf(team: Team, role: Role): TeamDocument {
  return {
    id: team.id,
    slug: team.slug,
    name: team.name,
    features: { passport: team.passportEnabled },
    defaultPassport: team.defaultPassport ?? null,
    workloadAlgorithm: team.workloadAlgorithm,
    membership: { role },
    createdAt: team.createdAt,
    updatedAt: team.updatedAt,
  };
}
