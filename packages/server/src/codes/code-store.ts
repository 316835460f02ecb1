import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import { hashSecret } from '#sealing';

type CodeRow = {
  hash: string;
  purpose: string;
  payload: string;
  clientId: string | null;
  createdAt: number;
  expiresAt: number;
  redeemedAt: number | null;
};

export type IssuedCode = {
  /** 256 bits as base64url, to be given out; only its hash is stored. */
  secret: string;
  /** Stores the hash: belongs into the issuer's unit. */
  statement: Bound<unknown>;
};

export type FoundCode<Payload, Purpose extends string = string> = {
  purpose: Purpose;
  /** The stored hash: names the code in logs and audit records, and cannot be presented. */
  id: string;
  payload: Payload;
  state: 'live' | 'used' | 'expired';
  /** When this was looked up, by the database's clock. */
  foundAt: number;
};

/** A code of one of several purposes, each with a payload of its own. */
export type FoundOneOf<Payloads> = {
  [Purpose in keyof Payloads & string]: FoundCode<Payloads[Purpose], Purpose>;
}[keyof Payloads & string];

export type Codes = ReturnType<typeof createCodes>;

/** Single-use secrets. Lifetimes are judged by the database's clock. */
export function createCodes({ database }: { database: Database }) {
  const query = database.queries<{ codes: CodeRow }>();

  const insert = database.statement<
    Pick<CodeRow, 'hash' | 'purpose' | 'payload' | 'clientId'> & { lifetime: number }
  >()((value) =>
    query.insertInto('codes').values({
      hash: value('hash'),
      purpose: value('purpose'),
      payload: value('payload'),
      clientId: value('clientId'),
      createdAt: database.now,
      expiresAt: sql<number>`${database.now} + ${value('lifetime')}`,
      redeemedAt: null,
    }),
  );

  const findByHash = database.statement<{ hash: string }>()((value) =>
    query
      .selectFrom('codes')
      .select(['hash', 'purpose', 'payload'])
      .select((column) => [
        column
          .case()
          .when('redeemedAt', 'is not', null)
          .then('used' as const)
          .when('expiresAt', '<=', database.now)
          .then('expired' as const)
          .else('live' as const)
          .end()
          .as('state'),
        database.now.as('foundAt'),
      ])
      .where('hash', '=', value('hash')),
  );

  const markRedeemed = database.statement<{ hash: string; purpose: string }>()((value) =>
    query
      .updateTable('codes')
      .set({ redeemedAt: database.now })
      .where('hash', '=', value('hash'))
      .where('purpose', '=', value('purpose'))
      .where('redeemedAt', 'is', null)
      .where('expiresAt', '>', database.now),
  );

  const expireOfClient = database.statement<{ clientId: string }>()((value) =>
    query
      .updateTable('codes')
      .set({ expiresAt: database.now })
      .where('clientId', '=', value('clientId'))
      // Few are in force at a time, and an index finds them.
      .where('expiresAt', '>', database.now)
      .where('redeemedAt', 'is', null),
  );

  // Looked for by its hash alone: a code of another purpose is none here, and takes as long as one that never was.
  async function findOneOf<Payloads extends object>(
    purposes: readonly (keyof Payloads & string)[],
    secret: string,
  ): Promise<FoundOneOf<Payloads> | undefined> {
    const row = await database.find(findByHash({ hash: hashSecret(secret) }));
    const purpose = purposes.find((one) => one === row?.purpose);
    if (row === undefined || purpose === undefined) return undefined;
    const { hash: id, payload, state, foundAt } = row;
    const found = { id, purpose, payload: JSON.parse(payload) as unknown, state, foundAt };
    return found as FoundOneOf<Payloads>;
  }

  return {
    /** Makes a secret that can be redeemed once within its lifetime; what an app redeems for tokens names the app. */
    issue<Payload>(
      purpose: string,
      payload: Payload,
      lifetimeMilliseconds: number,
      clientId?: string,
    ): IssuedCode {
      const secret = randomBytes(32).toString('base64url');
      const statement = insert({
        hash: hashSecret(secret),
        purpose,
        payload: JSON.stringify(payload),
        clientId: clientId ?? null,
        lifetime: lifetimeMilliseconds,
      });
      return { secret, statement };
    },

    /** Looks without using it up; undefined when no such code was ever issued for this purpose. */
    find: <Payload>(purpose: string, secret: string): Promise<FoundCode<Payload> | undefined> =>
      findOneOf<Record<string, Payload>>([purpose], secret),

    /** The same where codes of several purposes come to one place: `purpose` says which it is. */
    findOneOf,

    /** Ends all that an app could still redeem. */
    expireAllOfClient: (clientId: string): Bound<unknown> => expireOfClient({ clientId }),

    /**
     * Uses it up. The one atomic statement: put it first into the unit with all that the redemption makes, so that
     * of any number of parallel redemptions one happens, whole.
     */
    redeem(purpose: string, secret: string): Expected {
      return exactly(1, markRedeemed({ hash: hashSecret(secret), purpose }));
    },
  };
}
