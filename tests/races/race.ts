import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import type { Answer } from '../harness/send.ts';
import type { TestDatabase } from '../harness/test-databases.ts';

/** The long counts are for `npm run test:long`. */
export function roundsOf(counts: { short: number; long: number }): number {
  return process.env['TESSERA_TEST_LONG'] === undefined ? counts.short : counts.long;
}

/** Starts them all before any is awaited; `ports` are used in turn. */
export function race(
  ports: readonly number[],
  parallel: number,
  act: (port: number, index: number) => Promise<Answer>,
): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: parallel }, (_, index) => act(ports[index % ports.length] as number, index)),
  );
}

/** The check of a single-use secret: exactly one success, and every loser is told `invalid_grant`. */
export function checkExactlyOne(answers: readonly Answer[]): void {
  const winners = answers.filter(({ status }) => status === 200);
  if (winners.length !== 1) throw new Error(`${winners.length} of ${answers.length} succeeded, expected 1`);
  checkRefusals(answers);
}

/** The check of a retry: every success carries the identical refresh token. Answers that token. */
export function checkOneSuccessor(answers: readonly Answer[]): string {
  const successors = new Set(
    answers
      .filter(({ status }) => status === 200)
      .map((answer) => (answer.json() as { refresh_token: string }).refresh_token),
  );
  const [successor] = successors;
  if (successor === undefined || successors.size !== 1) {
    throw new Error(`${successors.size} different successors, expected 1`);
  }
  checkRefusals(answers);
  return successor;
}

/** Whoever loses is refused by the protocol's words; nobody sees a server error. */
export function checkRefusals(answers: readonly Answer[]): void {
  for (const { status, text } of answers) {
    if (status === 200) continue;
    if (status !== 400 || (JSON.parse(text) as { error: string }).error !== 'invalid_grant') {
      throw new Error(`a loser was answered ${status}: ${text}`);
    }
  }
}

/** How many unused refresh tokens each family in force has: at no moment may one have two. */
export async function countLiveLeaves(database: TestDatabase): Promise<number[]> {
  const statement = `select count(*) as "leaves" from "refreshTokens" as "token"
    join "tokenFamilies" as "family" on "family"."id" = "token"."familyId"
    where "token"."usedAt" is null and "family"."revokedAt" is null group by "family"."id"`;
  if (database.kind === 'sqlite') {
    const file = new DatabaseSync(database.url.slice('sqlite:'.length), { readOnly: true });
    try {
      return file
        .prepare(statement)
        .all()
        .map(({ leaves }) => Number(leaves));
    } finally {
      file.close();
    }
  }
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ leaves: string }>(statement);
    return rows.map(({ leaves }) => Number(leaves));
  } finally {
    await client.end();
  }
}
