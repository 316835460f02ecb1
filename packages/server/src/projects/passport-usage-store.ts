import { sql, type RawBuilder } from 'kysely';
import type { Bound, Database } from '#database';
import type { Project } from './project.ts';

type UsageTables = {
  passportUsage: { teamId: string; month: string; projectId: string };
  projects: { id: string; teamId: string; name: string; passport: string | null };
};

/** What must hold of a team, over a column or value of a statement here; the tables it asks are another room's. */
export type TeamCondition = (teamId: RawBuilder<string>) => RawBuilder<boolean>;

/** In which months a project had Passport on, for a day or for all of it; not while its team has no Passport. */
export function createPassportUsage(
  database: Database,
  teamHasPassport: TeamCondition = () => sql<boolean>`1 = 1`,
) {
  const query = database.queries<UsageTables>();

  const insert = database.statement<UsageTables['passportUsage']>()((value) =>
    query
      .insertInto('passportUsage')
      .columns(['teamId', 'month', 'projectId'])
      .expression(
        query
          .selectNoFrom([
            sql<string>`cast(${value('teamId')} as text)`.as('teamId'),
            sql<string>`cast(${value('month')} as text)`.as('month'),
            sql<string>`cast(${value('projectId')} as text)`.as('projectId'),
          ])
          .where(teamHasPassport(sql<string>`cast(${value('teamId')} as text)`)),
      )
      .onConflict((conflict) => conflict.doNothing()),
  );
  const insertAll = database.statement<{ month: string }>()((value) =>
    query
      .insertInto('passportUsage')
      .columns(['teamId', 'month', 'projectId'])
      .expression((from) =>
        from
          .selectFrom('projects')
          .select(['teamId', sql<string>`cast(${value('month')} as text)`.as('month'), 'id'])
          .where('passport', 'is not', null)
          .where(teamHasPassport(sql<string>`"projects"."teamId"`)),
      )
      .onConflict((conflict) => conflict.doNothing()),
  );
  const selectMonth = database.statement<{ teamId: string; month: string }>()((value) =>
    query
      .selectFrom('passportUsage')
      .leftJoin('projects', 'projects.id', 'passportUsage.projectId')
      .select(['passportUsage.projectId', 'projects.name'])
      .where('passportUsage.teamId', '=', value('teamId'))
      .where('passportUsage.month', '=', value('month'))
      .orderBy('passportUsage.projectId'),
  );

  return {
    /** Belongs into the unit that switches Passport on for a project, or keeps it on. `now` in milliseconds. */
    record: ({ teamId, id }: Pick<Project, 'teamId' | 'id'>, now: number): Bound<unknown> =>
      insert({ teamId, month: monthOf(now), projectId: id }),
    recordAll: (now: number): Bound<unknown> => insertAll({ month: monthOf(now) }),
    list: (teamId: string, month: string): Promise<{ projectId: string; name: string | null }[]> =>
      database.list(selectMonth({ teamId, month })),
  };
}

/** The calendar month of a time in milliseconds: `2026-11`, in UTC. */
export function monthOf(now: number): string {
  return new Date(now).toISOString().slice(0, 7);
}
