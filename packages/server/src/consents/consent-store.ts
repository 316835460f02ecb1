import { formatScope } from '@tessera/protocol';
import type { Clock } from '#clock';
import { exactly, type Bound, type Database, type Expected } from '#database';

type ConsentRow = {
  userId: string;
  appId: string;
  teamId: string;
  host: string;
  scopes: string;
  createdAt: number;
  updatedAt: number;
};

/** Times are milliseconds since the epoch. */
export type Consent = {
  userId: string;
  appId: string;
  /** The team that permissions among the scopes are given in; undefined when there is none among them. */
  teamId: string | undefined;
  /** The host that it holds for, when the app's callback is a project's: another host is another deployment. */
  host: string | undefined;
  scopes: readonly string[];
  createdAt: number;
  updatedAt: number;
};

export type Consents = ReturnType<typeof createConsents>;

export function createConsents({ database, clock }: { database: Database; clock: Clock }) {
  const query = database.queries<{ consents: ConsentRow }>();

  const listOfApp = database.statement<{ userId: string; appId: string }>()((value) =>
    query
      .selectFrom('consents')
      .selectAll()
      .where('userId', '=', value('userId'))
      .where('appId', '=', value('appId'))
      .orderBy('updatedAt', 'desc')
      .orderBy('teamId')
      .orderBy('host'),
  );
  const listOfUser = database.statement<{ userId: string }>()((value) =>
    query
      .selectFrom('consents')
      .selectAll()
      .where('userId', '=', value('userId'))
      .orderBy('updatedAt', 'desc')
      .orderBy('appId')
      .orderBy('teamId')
      .orderBy('host'),
  );
  const upsert = database.statement<ConsentRow>()((value) =>
    query
      .insertInto('consents')
      .values({
        userId: value('userId'),
        appId: value('appId'),
        teamId: value('teamId'),
        host: value('host'),
        scopes: value('scopes'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['userId', 'appId', 'teamId', 'host'])
          .doUpdateSet({ scopes: value('scopes'), updatedAt: value('updatedAt') }),
      ),
  );
  // Changes nothing: it takes the row's lock, so that a unit which rests on the consent and one which takes it back
  // cannot both believe that they were first.
  const hold = database.statement<Pick<ConsentRow, 'userId' | 'appId' | 'teamId' | 'host'>>()((value) =>
    query
      .updateTable('consents')
      .set({ userId: value('userId') })
      .where('userId', '=', value('userId'))
      .where('appId', '=', value('appId'))
      .where('teamId', '=', value('teamId'))
      .where('host', '=', value('host')),
  );
  const deleteOfApp = database.statement<{ userId: string; appId: string }>()((value) =>
    query.deleteFrom('consents').where('userId', '=', value('userId')).where('appId', '=', value('appId')),
  );

  return {
    /** What a person allowed an app, the latest first: one for each team that they chose, and each host. */
    async listOfApp(userId: string, appId: string): Promise<Consent[]> {
      return (await database.list(listOfApp({ userId, appId }))).map(consentOf);
    },

    /** What a person allowed all apps, the latest first. */
    async listOfUser(userId: string): Promise<Consent[]> {
      return (await database.list(listOfUser({ userId }))).map(consentOf);
    },

    /**
     * Writes down what a person allowed, beside what they allowed `before` for the same team and host. Two pages sent
     * at once may lose the wider part of one: the person is then asked again, which errs on the safe side.
     */
    record(consent: Omit<Consent, 'createdAt' | 'updatedAt'>, before?: Consent): Bound<unknown> {
      const now = clock.now();
      const scopes = [...new Set([...(before?.scopes ?? []), ...consent.scopes])];
      return upsert({
        userId: consent.userId,
        appId: consent.appId,
        teamId: consent.teamId ?? '',
        host: consent.host ?? '',
        scopes: formatScope(scopes),
        createdAt: now,
        updatedAt: now,
      });
    },

    /** Refuses a unit that rests on a consent which was taken back, also one that is taken back in this moment. */
    require: ({
      userId,
      appId,
      teamId,
      host,
    }: Pick<Consent, 'userId' | 'appId' | 'teamId' | 'host'>): Expected =>
      exactly(1, hold({ userId, appId, teamId: teamId ?? '', host: host ?? '' })),

    /** Forgets what a person allowed an app, for the unit that ends its tokens. */
    delete: (userId: string, appId: string): Bound<unknown> => deleteOfApp({ userId, appId }),
  };
}

function consentOf(row: ConsentRow): Consent {
  return {
    ...row,
    teamId: row.teamId === '' ? undefined : row.teamId,
    host: row.host === '' ? undefined : row.host,
    scopes: row.scopes === '' ? [] : row.scopes.split(' '),
  };
}
