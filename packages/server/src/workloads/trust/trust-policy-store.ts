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
  updatedAt: number | null;
  revision: number;
  grantRevision: number;
};
type TrustTokenRow = {
  hash: string;
  id: string;
  policyId: string;
  createdAt: number | null;
  expiresAt: number;
  grantRevision: number;
};
/** A token of a policy, as far as it is kept. Times in milliseconds since the epoch. */
export type TrustToken = { id: string; createdAt: number | undefined; expiresAt: number };

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
      updatedAt: value('updatedAt'),
      revision: value('revision'),
      grantRevision: value('grantRevision'),
    }),
  );
  const keepWithin = database.statement<{ id: string; teamId: string; most: number }>()((value) =>
    query
      .updateTable('trustPolicies')
      .set((row) => ({ revision: row.ref('revision') }))
      .where('id', '=', value('id'))
      .where(
        (count) =>
          count
            .selectFrom('trustPolicies as all')
            .select((all) => all.fn.countAll<number>().as('all'))
            .where('all.teamId', '=', value('teamId')),
        '<=',
        value('most'),
      ),
  );
  const updatePolicy = database.statement<Omit<TrustPolicyRow, 'createdAt' | 'createdBy'>>()((value) =>
    query
      .updateTable('trustPolicies')
      .set((row) => ({
        issuer: value('issuer'),
        policy: value('policy'),
        updatedAt: value('updatedAt'),
        revision: row('revision', '+', 1),
        grantRevision: value('grantRevision'),
      }))
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId'))
      .where('revision', '=', value('revision')),
  );
  const selectOne = database.statement<{ teamId: string; id: string }>()((value) =>
    query
      .selectFrom('trustPolicies')
      .selectAll()
      .where('id', '=', value('id'))
      .where('teamId', '=', value('teamId')),
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
      createdAt: value('createdAt'),
      expiresAt: value('expiresAt'),
      grantRevision: value('grantRevision'),
    }),
  );
  const selectLive = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('trustTokens')
      .innerJoin('trustPolicies', (join) =>
        join
          .onRef('trustPolicies.id', '=', 'trustTokens.policyId')
          .onRef('trustPolicies.grantRevision', '=', 'trustTokens.grantRevision'),
      )
      .selectAll('trustPolicies')
      .select([
        'trustTokens.id as tokenId',
        'trustTokens.createdAt as tokenCreatedAt',
        'trustTokens.expiresAt as tokenExpiresAt',
      ])
      .where('trustTokens.hash', '=', value('hash'))
      .where('trustTokens.expiresAt', '>', database.now),
  );
  const holdPolicy = database.statement<{ id: string; grantRevision: number }>()((value) =>
    query
      .updateTable('trustPolicies')
      .set((row) => ({ teamId: row.ref('teamId') }))
      .where('id', '=', value('id'))
      .where('grantRevision', '=', value('grantRevision')),
  );

  return {
    insert: (policy: TrustPolicy): Expected => exactly(1, insertPolicy(rowOf(policy))),
    /** No row when the team has more than `most` with this new one. The team is held before. */
    keepWithin: ({ id, teamId }: TrustPolicy, most: number): Expected =>
      exactly(1, keepWithin({ id, teamId, most })),
    /** `policy` has the revision that it was read with; no row when it has changed since. */
    update: (policy: TrustPolicy): Expected => exactly(1, updatePolicy(rowOf(policy))),
    async find(teamId: string, id: string): Promise<TrustPolicy | undefined> {
      const row = await database.find(selectOne({ teamId, id }));
      return row && policyOf(row);
    },
    async list(teamId: string): Promise<TrustPolicy[]> {
      return (await database.list(selectOfTeam({ teamId }))).map(policyOf);
    },
    /** Its tokens count no more from then on: each is looked up together with its policy. */
    delete: (teamId: string, id: string): Expected => exactly(1, deletePolicy({ teamId, id })),
    /** No row for a policy that was deleted meanwhile, or gives something else by now. */
    hold: ({ id, grantRevision }: TrustPolicy): Expected => exactly(1, holdPolicy({ id, grantRevision })),
    insertToken: (token: TrustTokenRow): Bound<unknown> => insertToken(token),
    /** The policy behind a token that is in force, by the database's clock. */
    async findLive(hash: string): Promise<{ policy: TrustPolicy; token: TrustToken } | undefined> {
      const row = await database.find(selectLive({ hash }));
      if (row === undefined) return undefined;
      const { tokenId: id, tokenCreatedAt: createdAt, tokenExpiresAt: expiresAt } = row;
      return { policy: policyOf(row), token: { id, createdAt: createdAt ?? undefined, expiresAt } };
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

function rowOf(policy: TrustPolicy): TrustPolicyRow {
  const { id, teamId, createdAt, createdBy, updatedAt, revision, grantRevision, ...input } = policy;
  return {
    id,
    teamId,
    createdAt,
    createdBy,
    updatedAt,
    revision,
    grantRevision,
    issuer: input.issuer,
    policy: JSON.stringify(input),
  };
}

function policyOf(row: TrustPolicyRow): TrustPolicy {
  const input = JSON.parse(row.policy) as CreateTrustPolicy;
  const { id, teamId, createdAt, createdBy, updatedAt, revision, grantRevision } = row;
  return {
    ...input,
    id,
    teamId,
    createdAt,
    createdBy,
    revision,
    grantRevision,
    updatedAt: updatedAt ?? createdAt,
  };
}
