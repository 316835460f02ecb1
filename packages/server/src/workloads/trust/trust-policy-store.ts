import type { CreateTrustPolicy } from '@tessera/contract';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { TrustPolicy } from './trust-policy.ts';

type TrustPolicyRow = {
  id: string;
  teamId: string;
  issuer: string;
  policy: string;
  createdAt: number;
  createdBy: string;
};
type TrustTokenRow = { hash: string; id: string; policyId: string; expiresAt: number };
type TrustTables = { trustPolicies: TrustPolicyRow; trustTokens: TrustTokenRow };

export function createTrustPolicyStore(database: Database) {
  const query = database.queries<TrustTables>();

  const insertPolicy = database.statement<TrustPolicyRow>()((value) =>
    query.insertInto('trustPolicies').values({
      id: value('id'),
      teamId: value('teamId'),
      issuer: value('issuer'),
      policy: value('policy'),
      createdAt: value('createdAt'),
      createdBy: value('createdBy'),
    }),
  );
  const selectOfTeam = database.statement<{ teamId: string }>()((value) =>
    query
      .selectFrom('trustPolicies')
      .selectAll()
      .where('teamId', '=', value('teamId'))
      .orderBy('createdAt')
      .orderBy('id'),
  );
  const deletePolicy = database.statement<{ teamId: string; id: string }>()((value) =>
    query.deleteFrom('trustPolicies').where('id', '=', value('id')).where('teamId', '=', value('teamId')),
  );
  const insertToken = database.statement<TrustTokenRow>()((value) =>
    query.insertInto('trustTokens').values({
      hash: value('hash'),
      id: value('id'),
      policyId: value('policyId'),
      expiresAt: value('expiresAt'),
    }),
  );
  const selectLive = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('trustTokens')
      .innerJoin('trustPolicies', 'trustPolicies.id', 'trustTokens.policyId')
      .selectAll('trustPolicies')
      .where('trustTokens.hash', '=', value('hash'))
      .where('trustTokens.expiresAt', '>', database.now),
  );
  const holdPolicy = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('trustPolicies')
      .set((row) => ({ teamId: row.ref('teamId') }))
      .where('id', '=', value('id')),
  );

  return {
    insert: ({ id, teamId, createdAt, createdBy, ...policy }: TrustPolicy): Expected =>
      exactly(
        1,
        insertPolicy({
          id,
          teamId,
          issuer: policy.issuer,
          policy: JSON.stringify(policy),
          createdAt,
          createdBy,
        }),
      ),
    async list(teamId: string): Promise<TrustPolicy[]> {
      return (await database.list(selectOfTeam({ teamId }))).map(policyOf);
    },
    /** Its tokens count no more from then on: each is looked up together with its policy. */
    delete: (teamId: string, id: string): Expected => exactly(1, deletePolicy({ teamId, id })),
    /** No row for a policy that was deleted meanwhile. */
    hold: (id: string): Expected => exactly(1, holdPolicy({ id })),
    insertToken: (token: TrustTokenRow): Bound<unknown> => insertToken(token),
    /** The policy behind a token that is in force, by the database's clock. */
    async findLive(hash: string): Promise<TrustPolicy | undefined> {
      const row = await database.find(selectLive({ hash }));
      return row && policyOf(row);
    },
  };
}

/** Deletes tokens that have expired. */
export function createTrustTokenPurge({ database }: { database: Database }) {
  const query = database.queries<TrustTables>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('trustTokens')
      .where('hash', 'in', (over) =>
        over
          .selectFrom('trustTokens')
          .select('hash')
          .where('expiresAt', '<=', database.now)
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}

function policyOf(row: TrustPolicyRow): TrustPolicy {
  const policy = JSON.parse(row.policy) as CreateTrustPolicy;
  return { ...policy, id: row.id, teamId: row.teamId, createdAt: row.createdAt, createdBy: row.createdBy };
}
