import { formatScope } from '@tessera/protocol';
import type { Clock } from '#clock';
import type { Bound, Database } from '#database';

type ConsentRow = { userId: string; appId: string; scopes: string; createdAt: number; updatedAt: number };

/** Times are milliseconds since the epoch. */
export type Consent = {
  userId: string;
  appId: string;
  scopes: readonly string[];
  createdAt: number;
  updatedAt: number;
};

export type Consents = ReturnType<typeof createConsents>;

export function createConsents({ database, clock }: { database: Database; clock: Clock }) {
  const query = database.queries<{ consents: ConsentRow }>();

  const findOne = database.statement<{ userId: string; appId: string }>()((value) =>
    query
      .selectFrom('consents')
      .selectAll()
      .where('userId', '=', value('userId'))
      .where('appId', '=', value('appId')),
  );
  const upsert = database.statement<ConsentRow>()((value) =>
    query
      .insertInto('consents')
      .values({
        userId: value('userId'),
        appId: value('appId'),
        scopes: value('scopes'),
        createdAt: value('createdAt'),
        updatedAt: value('updatedAt'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['userId', 'appId'])
          .doUpdateSet({ scopes: value('scopes'), updatedAt: value('updatedAt') }),
      ),
  );

  return {
    /** What a person allowed an app; undefined when nothing. */
    async find(userId: string, appId: string): Promise<Consent | undefined> {
      const row = await database.find(findOne({ userId, appId }));
      return row && { ...row, scopes: row.scopes === '' ? [] : row.scopes.split(' ') };
    },

    /**
     * Writes down what a person allowed, beside what they allowed `before`. Two pages sent at once may lose the
     * wider part of one: the person is then asked again, which errs on the safe side.
     */
    record(
      consent: { userId: string; appId: string; scopes: readonly string[] },
      before?: Consent,
    ): Bound<unknown> {
      const now = clock.now();
      const scopes = [...new Set([...(before?.scopes ?? []), ...consent.scopes])];
      return upsert({
        userId: consent.userId,
        appId: consent.appId,
        scopes: formatScope(scopes),
        createdAt: now,
        updatedAt: now,
      });
    },
  };
}
