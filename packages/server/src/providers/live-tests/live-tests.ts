import { rolesThatMay, type Role } from '@tessera/contract';
import { createId } from '@tessera/protocol';
import type { Attempts } from '#attempts';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Connector, Connectors } from '#connectors';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import {
  connectorTestStartPurpose,
  stateOf,
  type ConnectorTestStart,
  type LiveTest,
  type LiveTestState,
} from './live-test.ts';
import { createLiveTestStore } from './live-test-store.ts';

const lifetimeMilliseconds = 10 * 60_000;
const startLifetimeMilliseconds = 60_000;

export type LiveTests = ReturnType<typeof createLiveTests>;

/** A live test as its own person sees it. */
export type LiveTestView = { test: LiveTest; state: LiveTestState; connector: Connector };

/**
 * Live tests of connectors. A link alone begins none: whoever opens it must be logged in as the person who prepared
 * it, so that no admin can have somebody else sign in and read what their provider says of them.
 */
export function createLiveTests(needs: {
  database: Database;
  clock: Clock;
  audit: Audit;
  codes: Codes;
  attempts: Pick<Attempts, 'begin' | 'step'>;
  connectors: Pick<Connectors, 'findOfTeam'>;
  findMembership: (teamId: string, userId: string) => Promise<{ role: Role } | undefined>;
  urls: { origin: string; connect: string };
}) {
  const { database, clock, audit, codes, attempts, connectors, urls } = needs;
  const store = createLiveTestStore(database);
  const pageOf = (id: string) => `${urls.origin}/account/connector-tests/${id}`;

  async function get(id: string, userId: string): Promise<LiveTestView> {
    const test = await store.find(id);
    // By the role of now: who may not test any more reads no report either.
    const membership = test && (await needs.findMembership(test.teamId, userId));
    const mayTest = membership !== undefined && rolesThatMay('connector:test').includes(membership.role);
    const connector = test && (await connectors.findOfTeam(test.teamId, test.connectorId));
    if (test?.userId !== userId || !mayTest || connector === undefined) {
      throw publicError('not_found', {
        description: 'You have no such test of an identity provider application.',
      });
    }
    return { test, state: stateOf(test, clock.now()), connector };
  }

  return {
    /** The page on which the test is begun and its report is read. */
    pageOf,

    /** Prepares a test for this person's browser. */
    async create(made: {
      teamId: string;
      connectorId: string;
      userId: string;
      projectId: string | undefined;
      actor: string;
      reference: string;
    }): Promise<{ id: string; url: string; expiresAt: number }> {
      const { teamId, connectorId, userId, projectId, actor, reference } = made;
      const id = createId('sclt');
      const createdAt = clock.now();
      const expiresAt = createdAt + lifetimeMilliseconds;
      await database.write([
        store.insert({ id, teamId, connectorId, userId, projectId, createdAt, expiresAt }),
        audit.record({
          actor,
          action: 'connector.test',
          object: connectorId,
          teamId,
          after: { test: id, projectId: projectId ?? null },
          reference,
        }),
      ]);
      return { id, url: pageOf(id), expiresAt };
    },

    /** Throws `not_found` for everybody but the person who prepared it. */
    get,

    /**
     * Begins the test, once; where to send the browser. Throws `not_found`, and `connector_test_over` when it was begun
     * before or its ten minutes are over.
     */
    async start(id: string, userId: string): Promise<string> {
      const { test, connector } = await get(id, userId);
      const { teamId, connectorId, projectId } = test;
      const attempt = attempts.begin({ kind: 'connector-test', teamId, connectorId, projectId });
      const { reference } = attempt;
      const code = codes.issue<ConnectorTestStart>(
        connectorTestStartPurpose,
        { testId: id, teamId, connectorId, projectId, reference },
        startLifetimeMilliseconds,
      );
      const outcome = await database.tryWrite([
        store.start(id, userId, reference),
        attempt.statement,
        attempts.step(reference, {
          step: 'start',
          outcome: 'ok',
          detail: `A test of "${connector.name}", begun on the account's page.`,
        }),
        code.statement,
      ]);
      if (!outcome.committed) throw publicError('connector_test_over');
      return `${urls.connect}/start?code=${code.secret}`;
    },

    /** Keeps the report of the attempt of this reference, for the unit in which the attempt ends. */
    finish: store.finish,

    /** Deletes reports that are older than a day. */
    purge: (most: number): Bound<unknown>[] => [store.deleteOld(most)],
  };
}
