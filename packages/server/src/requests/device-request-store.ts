import { createId, formatScope, isId } from '@tessera/protocol';
import { sql } from 'kysely';
import { exactly, type Bound, type Database, type Expected } from '#database';
import type { Sealing } from '#sealing';
import { createUserCode, type DeviceRequest } from './device-request.ts';

type DeviceRow = {
  id: string;
  userCodeMac: string;
  clientId: string;
  scopes: string;
  resources: string;
  reference: string;
  address: string;
  userAgent: string | null;
  createdAt: number;
  expiresAt: number;
  interval: number;
  lastAskedAt: number | null;
  claimedBrowserId: string | null;
  claimedUserId: string | null;
  claimedSid: string | null;
  approvedAt: number | null;
  authenticatedAt: number | null;
  amr: string | null;
  deniedAt: number | null;
  completedAt: number | null;
};

/** The login of a browser: the one that claimed a request must be the one that decides. */
export type Claim = NonNullable<DeviceRequest['claim']>;

/** Item 85 of the checklist: at most ten minutes. */
export const deviceRequestLifetimeSeconds = 600;
/** Seconds between two questions of a device, and by how much longer it waits after asking too often. */
export const deviceIntervalSeconds = 5;
/** A question on its way may catch up with the one before. */
const tolerance = 1_000;
export type DeviceRequests = ReturnType<typeof createDeviceRequests>;

export function createDeviceRequests(needs: { database: Database; sealing: Pick<Sealing, 'mac'> }) {
  const { database } = needs;
  const { now } = database;
  const query = database.queries<{ deviceRequests: DeviceRow }>();
  const macOf = (userCode: string): string => needs.sealing.mac('device-user-code', userCode);
  const isPending = sql<boolean>`"approvedAt" is null and "deniedAt" is null and "expiresAt" > ${now}`;

  const insert = database.statement<
    Pick<
      DeviceRow,
      'id' | 'userCodeMac' | 'clientId' | 'scopes' | 'resources' | 'reference' | 'address' | 'userAgent'
    >
  >()((value) =>
    query
      .insertInto('deviceRequests')
      .values({
        id: value('id'),
        userCodeMac: value('userCodeMac'),
        clientId: value('clientId'),
        scopes: value('scopes'),
        resources: value('resources'),
        reference: value('reference'),
        address: value('address'),
        userAgent: value('userAgent'),
        createdAt: now,
        expiresAt: sql<number>`${now} + ${sql.lit(deviceRequestLifetimeSeconds * 1000)}`,
        interval: sql<number>`${sql.lit(deviceIntervalSeconds)}`,
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const selected = query
    .selectFrom('deviceRequests')
    .selectAll()
    .select((column) => [
      column
        .case()
        .when('completedAt', 'is not', null)
        .then('completed' as const)
        .when('deniedAt', 'is not', null)
        .then('denied' as const)
        .when('expiresAt', '<=', now)
        .then('expired' as const)
        .when('approvedAt', 'is not', null)
        .then('approved' as const)
        .else('pending' as const)
        .end()
        .as('state'),
    ]);
  const findById = database.statement<{ id: string }>()((value) => selected.where('id', '=', value('id')));
  const findByUserCode = database.statement<{ userCodeMac: string }>()((value) =>
    selected.where('userCodeMac', '=', value('userCodeMac')).where(isPending),
  );
  const claim = database.statement<Claim & { id: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({
        claimedBrowserId: value('browserId'),
        claimedUserId: value('userId'),
        claimedSid: value('sid'),
      })
      .where('id', '=', value('id'))
      .where(isPending)
      .where((where) =>
        where.or([
          where('claimedSid', 'is', null),
          where.and([
            where('claimedSid', '=', value('sid')),
            where('claimedBrowserId', '=', value('browserId')),
          ]),
        ]),
      ),
  );
  const ownedBy = (value: <Name extends keyof Claim>(name: Name) => ReturnType<typeof sql<string>>) =>
    sql<boolean>`"claimedSid" = ${value('sid')} and "claimedBrowserId" = ${value('browserId')} and "claimedUserId" = ${value('userId')}`;
  const approve = database.statement<Claim & { id: string; authenticatedAt: number; amr: string }>()(
    (value) =>
      query
        .updateTable('deviceRequests')
        .set({ approvedAt: now, authenticatedAt: value('authenticatedAt'), amr: value('amr') })
        .where('id', '=', value('id'))
        .where(ownedBy(value))
        .where(isPending),
  );
  const deny = database.statement<Claim & { id: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({ deniedAt: now })
      .where('id', '=', value('id'))
      .where(ownedBy(value))
      .where(isPending),
  );
  const ask = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({ lastAskedAt: now })
      .where('id', '=', value('id'))
      .where(
        sql<boolean>`("lastAskedAt" is null or "lastAskedAt" <= ${now} - "interval" * 1000 + ${sql.lit(tolerance)})`,
      ),
  );
  const slowDown = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({ lastAskedAt: now, interval: sql<number>`"interval" + ${sql.lit(deviceIntervalSeconds)}` })
      .where('id', '=', value('id')),
  );
  const complete = database.statement<{ id: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({ completedAt: now })
      .where('id', '=', value('id'))
      .where('approvedAt', 'is not', null)
      .where('completedAt', 'is', null)
      .where('expiresAt', '>', now),
  );

  const expireOfClient = database.statement<{ clientId: string }>()((value) =>
    query
      .updateTable('deviceRequests')
      .set({ expiresAt: now })
      .where('clientId', '=', value('clientId'))
      .where('approvedAt', 'is not', null)
      .where('completedAt', 'is', null)
      .where('expiresAt', '>', now),
  );

  return {
    /** Stores what a device asks for, with a user code that is given out this once. Refused when the code is taken. */
    create(
      request: Pick<
        DeviceRequest,
        'clientId' | 'scopes' | 'resources' | 'reference' | 'address' | 'userAgent'
      >,
    ): { id: string; userCode: string; statement: Expected } {
      const id = createId('dva');
      const userCode = createUserCode();
      const row = {
        id,
        userCodeMac: macOf(userCode),
        clientId: request.clientId,
        scopes: formatScope(request.scopes),
        resources: JSON.stringify(request.resources),
        reference: request.reference,
        address: request.address,
        userAgent: request.userAgent?.slice(0, 300) ?? null,
      };
      return { id, userCode, statement: exactly(1, insert(row)) };
    },

    async find(id: string): Promise<DeviceRequest | undefined> {
      if (!isId('dva', id)) return undefined;
      const row = await database.find(findById({ id }));
      return row && requestOf(row);
    },

    /** The request that waits for this code. Whether it may be asked for so often is the caller's business. */
    async findByUserCode(userCode: string): Promise<DeviceRequest | undefined> {
      const row = await database.find(findByUserCode({ userCodeMac: macOf(userCode) }));
      return row && requestOf(row);
    },

    /** Ties the request to this login; refused when another one was first. */
    claim: (id: string, by: Claim): Expected => exactly(1, claim({ id, ...by })),

    /** The person allows it; only the login that claimed it can. */
    approve: (id: string, by: Claim, login: { authenticatedAt: number; amr: readonly string[] }): Expected =>
      exactly(1, approve({ id, ...by, authenticatedAt: login.authenticatedAt, amr: login.amr.join(' ') })),

    deny: (id: string, by: Claim): Expected => exactly(1, deny({ id, ...by })),

    /** A question of the device; refused when it comes too soon. */
    ask: (id: string): Expected => exactly(1, ask({ id })),
    /** From now on the device waits longer (RFC 8628, 3.5). */
    slowDown: (id: string): Bound<unknown> => slowDown({ id }),

    /** Ends what people have allowed an app's devices, and the devices have not come for. */
    expireAllOfClient: (clientId: string): Bound<unknown> => expireOfClient({ clientId }),

    /** Ends it: in the unit that issues its tokens. */
    complete: (id: string): Expected => exactly(1, complete({ id })),
  };
}

function requestOf(row: DeviceRow & { state: DeviceRequest['state'] }): DeviceRequest {
  const { claimedBrowserId, claimedUserId, claimedSid, authenticatedAt } = row;
  return {
    id: row.id,
    clientId: row.clientId,
    scopes: wordsOf(row.scopes),
    resources: JSON.parse(row.resources) as string[],
    reference: row.reference,
    address: row.address,
    userAgent: row.userAgent ?? undefined,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    interval: row.interval,
    claim:
      claimedBrowserId === null || claimedUserId === null || claimedSid === null
        ? undefined
        : { browserId: claimedBrowserId, userId: claimedUserId, sid: claimedSid },
    state: row.state,
    approved: authenticatedAt === null ? undefined : { authenticatedAt, amr: wordsOf(row.amr ?? '') },
  };
}

function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split(' ');
}
