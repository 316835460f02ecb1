import type { Role } from '@tessera/contract';
import { sql, type RawBuilder } from 'kysely';
import type { Bound, Database, Expected } from '#database';
import { exactly } from '#database';
import type { Membership, Team } from './team.ts';

type TeamRow = {
  id: string;
  slug: string;
  name: string;
  passportEnabled: number;
  defaultPassport: string | null;
  workloadAlgorithm: string;
  revision: number;
  createdAt: number;
  updatedAt: number;
};
type MemberRow = { teamId: string; userId: string; role: string; createdAt: number };
type TeamTables = {
  teams: TeamRow;
  teamSlugs: { slug: string; teamId: string; createdAt: number };
  members: MemberRow;
};

/** A team with the number of its changes: an update is refused when somebody else was faster. */
export type StoredTeam = Team & { revision: number };

export type Page = { after?: { createdAt: number; id: string } | undefined; limit: number };

const columns = [
  'id',
  'slug',
  'name',
  'passportEnabled',
  'defaultPassport',
  'workloadAlgorithm',
  'revision',
  'createdAt',
  'updatedAt',
] as const;

export function createTeamStore(database: Database) {
  const query = database.queries<TeamTables>();

  const selectById = database.statement<{ id: string }>()((value) =>
    query.selectFrom('teams').selectAll().where('id', '=', value('id')),
  );
  const selectBySlug = database.statement<{ slug: string }>()((value) =>
    query.selectFrom('teams').selectAll().where('slug', '=', value('slug')),
  );
  const selectSlug = database.statement<{ slug: string }>()((value) =>
    query.selectFrom('teamSlugs').selectAll().where('slug', '=', value('slug')),
  );
  const insertTeam = database.statement<TeamRow>()((value) =>
    query
      .insertInto('teams')
      .values({
        id: value('id'),
        slug: value('slug'),
        name: value('name'),
        passportEnabled: value('passportEnabled'),
        defaultPassport: value('defaultPassport'),
        workloadAlgorithm: value('workloadAlgorithm'),
        revision: value('revision'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const insertSlug = database.statement<TeamTables['teamSlugs']>()((value) =>
    query
      .insertInto('teamSlugs')
      .values({ slug: value('slug'), teamId: value('teamId'), createdAt: value('createdAt') })
      // A team may come back to a slug that was its own; nobody else ever gets it.
      .onConflict((conflict) =>
        conflict
          .column('slug')
          .doUpdateSet((row) => ({ teamId: row.ref('excluded.teamId') }))
          .where((row) => row('teamSlugs.teamId', '=', row.ref('excluded.teamId'))),
      ),
  );
  const updateTeam = database.statement<Omit<TeamRow, 'createdAt' | 'passportEnabled'>>()((value) =>
    query
      .updateTable('teams')
      .set((row) => ({
        slug: value('slug'),
        name: value('name'),
        defaultPassport: value('defaultPassport'),
        workloadAlgorithm: value('workloadAlgorithm'),
        updatedAt: value('updatedAt'),
        revision: row('revision', '+', 1),
      }))
      .where('id', '=', value('id'))
      .where('revision', '=', value('revision')),
  );
  const updatePassport = database.statement<
    Pick<TeamRow, 'id' | 'passportEnabled' | 'updatedAt' | 'revision'>
  >()((value) =>
    query
      .updateTable('teams')
      .set((row) => ({
        passportEnabled: value('passportEnabled'),
        updatedAt: value('updatedAt'),
        revision: row('revision', '+', 1),
      }))
      .where('id', '=', value('id'))
      .where('revision', '=', value('revision')),
  );
  const insertMember = database.statement<MemberRow>()((value) =>
    query
      .insertInto('members')
      .values({
        teamId: value('teamId'),
        userId: value('userId'),
        role: value('role'),
        createdAt: value('createdAt'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const selectMember = database.statement<{ teamId: string; userId: string }>()((value) =>
    query
      .selectFrom('members')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .where('userId', '=', value('userId')),
  );
  const selectMembers = database.statement<{ teamId: string; at: number; id: string; limit: number }>()(
    (value) =>
      query
        .selectFrom('members')
        .selectAll()
        .where('teamId', '=', value('teamId'))
        .where((row) =>
          row.or([
            row('createdAt', '>', value('at')),
            row.and([row('createdAt', '=', value('at')), row('userId', '>', value('id'))]),
          ]),
        )
        .orderBy('createdAt')
        .orderBy('userId')
        .limit(value('limit')),
  );
  // Two owners who remove each other at once wait here for each other, so that the second sees what the first did.
  const lockOwners = database.statement<{ teamId: string }>()((value) =>
    query
      .updateTable('members')
      .set({ role: 'owner' })
      .where('teamId', '=', value('teamId'))
      .where('role', '=', 'owner'),
  );
  const lockTeam = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('teams')
      .set((row) => ({ slug: row.ref('slug') }))
      .where('id', '=', value('id')),
  );
  const otherOwners = (teamId: RawBuilder<string>, userId: RawBuilder<string>) =>
    query
      .selectFrom('members as others')
      .select('others.userId')
      .where('others.teamId', '=', teamId)
      .where('others.userId', '!=', userId)
      .where('others.role', '=', 'owner');
  const updateRole = database.statement<{ teamId: string; userId: string; role: string }>()((value) =>
    query
      .updateTable('members')
      .set({ role: value('role') })
      .where('teamId', '=', value('teamId'))
      .where('userId', '=', value('userId'))
      .where((row) =>
        row.or([
          row('role', '!=', 'owner'),
          row(value('role'), '=', 'owner'),
          row.exists(otherOwners(value('teamId'), value('userId'))),
        ]),
      ),
  );
  const deleteMember = database.statement<{ teamId: string; userId: string }>()((value) =>
    query
      .deleteFrom('members')
      .where('teamId', '=', value('teamId'))
      .where('userId', '=', value('userId'))
      .where((row) =>
        row.or([row('role', '!=', 'owner'), row.exists(otherOwners(value('teamId'), value('userId')))]),
      ),
  );
  const selectOfUser = database.statement<{ userId: string; at: number; id: string; limit: number }>()(
    (value) =>
      query
        .selectFrom('members')
        .innerJoin('teams', 'teams.id', 'members.teamId')
        .select(columns.map((column) => `teams.${column}` as const))
        .select('members.role')
        .where('members.userId', '=', value('userId'))
        .where((row) =>
          row.or([
            row('teams.createdAt', '>', value('at')),
            row.and([row('teams.createdAt', '=', value('at')), row('teams.id', '>', value('id'))]),
          ]),
        )
        .orderBy('teams.createdAt')
        .orderBy('teams.id')
        .limit(value('limit')),
  );

  return {
    async find(id: string): Promise<StoredTeam | undefined> {
      const row = await database.find(selectById({ id }));
      return row && teamOf(row);
    },
    async findBySlug(slug: string): Promise<StoredTeam | undefined> {
      const row = await database.find(selectBySlug({ slug }));
      return row && teamOf(row);
    },
    /** The team that a slug belongs to, or once belonged to. */
    async findSlugOwner(slug: string): Promise<string | undefined> {
      return (await database.find(selectSlug({ slug })))?.teamId;
    },
    /** One row unless another team has, or had, the slug. */
    claimSlug: (slug: string, teamId: string, createdAt: number): Expected =>
      exactly(1, insertSlug({ slug, teamId, createdAt })),
    insert: (team: Team): Expected => exactly(1, insertTeam({ ...rowOf(team), revision: 1 })),
    /** No row when the team has changed since it was read. */
    update: ({ revision, ...team }: StoredTeam): Expected =>
      exactly(1, updateTeam({ ...rowOf(team), revision })),
    /** The same for what only the instance's administrators change. */
    updatePassport: ({ id, passportEnabled, updatedAt, revision }: StoredTeam): Expected =>
      exactly(1, updatePassport({ id, passportEnabled: passportEnabled ? 1 : 0, updatedAt, revision })),

    /** Whoever counts what a team has waits here for whoever else does. No row for a team that is not there. */
    hold: (id: string): Expected => exactly(1, lockTeam({ id })),
    /** No row when the person is a member already. */
    insertMember: ({ teamId, userId, role, createdAt }: Membership): Expected =>
      exactly(1, insertMember({ teamId, userId, role, createdAt })),
    /** No row when there is no such member, or it is the last owner, who stays one. */
    updateRole: (teamId: string, userId: string, role: Role): readonly (Expected | Bound<unknown>)[] => [
      lockOwners({ teamId }),
      exactly(1, updateRole({ teamId, userId, role })),
    ],
    /** No row when there is no such member, or it is the last owner. */
    deleteMember: (teamId: string, userId: string): readonly (Expected | Bound<unknown>)[] => [
      lockOwners({ teamId }),
      exactly(1, deleteMember({ teamId, userId })),
    ],
    async findMember(teamId: string, userId: string): Promise<Membership | undefined> {
      const row = await database.find(selectMember({ teamId, userId }));
      return row && membershipOf(row);
    },
    async listMembers(teamId: string, { after, limit }: Page): Promise<Membership[]> {
      const rows = await database.list(
        selectMembers({ teamId, at: after?.createdAt ?? -1, id: after?.id ?? '', limit }),
      );
      return rows.map(membershipOf);
    },
    async listOfUser(userId: string, { after, limit }: Page): Promise<{ team: StoredTeam; role: Role }[]> {
      const rows = await database.list(
        selectOfUser({ userId, at: after?.createdAt ?? -1, id: after?.id ?? '', limit }),
      );
      return rows.map(({ role, ...row }) => ({ team: teamOf(row), role: role as Role }));
    },
  };
}

/** Where a team names its connector, for the statement that deletes connectors. */
export const teamConnectorUse = { table: 'teams', column: 'defaultPassport', teamColumn: 'id' };

/** What another room's one statement may read of a team beside its own rows; the row's meaning stays here. */
export const teamJoin = {
  table: 'teams',
  kind: 'teams',
  revision: 'revision',
  columns,
  read: (row: Record<string, unknown>): Team => teamOf(row as TeamRow),
};

/** That a person is a member of a team, as a condition over columns of another room's statement. */
export const isMember = {
  kind: 'members',
  holds: ({ teamId, userId }: { teamId: RawBuilder<string>; userId: RawBuilder<string> }) =>
    sql<boolean>`exists (select 1 from "members" where "members"."teamId" = ${teamId} and "members"."userId" = ${userId})`,
};

/** That a team has Passport, as a condition over a column of another room's statement. */
export const hasPassport = (teamId: RawBuilder<string>): RawBuilder<boolean> =>
  sql<boolean>`exists (select 1 from "teams" where "teams"."id" = ${teamId} and "teams"."passportEnabled" = 1)`;

function rowOf(team: Team): Omit<TeamRow, 'revision'> {
  return {
    id: team.id,
    slug: team.slug,
    name: team.name,
    passportEnabled: team.passportEnabled ? 1 : 0,
    defaultPassport: team.defaultPassport === undefined ? null : JSON.stringify(team.defaultPassport),
    workloadAlgorithm: team.workloadAlgorithm,
    createdAt: team.createdAt,
    updatedAt: team.updatedAt,
  };
}

function teamOf(row: TeamRow): StoredTeam {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    passportEnabled: row.passportEnabled === 1,
    defaultPassport:
      row.defaultPassport === null ? undefined : (JSON.parse(row.defaultPassport) as Team['defaultPassport']),
    workloadAlgorithm: row.workloadAlgorithm as Team['workloadAlgorithm'],
    revision: row.revision,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

function membershipOf(row: MemberRow): Membership {
  return { teamId: row.teamId, userId: row.userId, role: row.role as Role, createdAt: row.createdAt };
}
