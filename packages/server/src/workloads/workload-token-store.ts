import { exactly, type Bound, type Database, type Expected } from '#database';

type WorkloadTokenRow = {
  id: string;
  minter: string;
  minterUserId: string | null;
  subjectId: string | null;
  expiresAt: number;
  grantRevision: number | null;
};

/** A minted token, as far as it does not say so itself. */
export type WorkloadToken = {
  projectId: string;
  jti: string;
  /** The API token, deployment or other actor that asked for it. */
  minter: string;
  /** The person whose API token that was. */
  minterUserId: string | undefined;
  /** Of a trust policy: under which of its grants. */
  grantRevision: number | undefined;
  /** The `jti` of the token that it was exchanged for. */
  subjectJti: string | undefined;
  /** Milliseconds since the epoch. */
  expiresAt: number;
};

export type WorkloadTokenStore = ReturnType<typeof createWorkloadTokenStore>;

export function createWorkloadTokenStore(database: Database) {
  const query = database.queries<{ workloadTokens: WorkloadTokenRow }>();
  const insertToken = database.statement<WorkloadTokenRow>()((value) =>
    query
      .insertInto('workloadTokens')
      .values({
        id: value('id'),
        minter: value('minter'),
        minterUserId: value('minterUserId'),
        subjectId: value('subjectId'),
        expiresAt: value('expiresAt'),
        grantRevision: value('grantRevision'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const selectToken = database.statement<{ id: string }>()((value) =>
    query.selectFrom('workloadTokens').selectAll().where('id', '=', value('id')),
  );

  return {
    /** The one atomic statement of a `jti`'s single use: no row when the project has a token of this id. */
    insert: (token: WorkloadToken): Expected =>
      exactly(
        1,
        insertToken({
          id: keyOf(token.projectId, token.jti),
          minter: token.minter,
          minterUserId: token.minterUserId ?? null,
          subjectId: token.subjectJti === undefined ? null : keyOf(token.projectId, token.subjectJti),
          expiresAt: token.expiresAt,
          grantRevision: token.grantRevision ?? null,
        }),
      ),
    async find(projectId: string, jti: string): Promise<WorkloadToken | undefined> {
      const row = await database.find(selectToken({ id: keyOf(projectId, jti) }));
      return (
        row && {
          projectId,
          jti,
          minter: row.minter,
          minterUserId: row.minterUserId ?? undefined,
          grantRevision: row.grantRevision ?? undefined,
          subjectJti: row.subjectId?.slice(projectId.length + 1),
          expiresAt: row.expiresAt,
        }
      );
    },
  };
}

/** Ids of projects have no slash, so no two pairs are one key. */
function keyOf(projectId: string, jti: string): string {
  return `${projectId}/${jti}`;
}

/** Deletes what is known of tokens that have expired. */
export function createWorkloadTokenPurge({ database }: { database: Database }) {
  const query = database.queries<{ workloadTokens: WorkloadTokenRow }>();
  const deleteOver = database.statement<{ most: number }>()((value) =>
    query
      .deleteFrom('workloadTokens')
      .where('id', 'in', (over) =>
        over
          .selectFrom('workloadTokens')
          .select('id')
          .where('expiresAt', '<=', database.now)
          .orderBy('expiresAt')
          .limit(value('most')),
      ),
  );
  return (most: number): Bound<unknown>[] => [deleteOver({ most })];
}
