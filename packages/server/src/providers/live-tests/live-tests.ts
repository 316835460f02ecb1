import { rolesThatMay, type ConnectorTestReport, type Role } from '@tessera/contract';
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
/** Long enough to log in again on the way back. */
const reportLifetimeMilliseconds = 10 * 60_000;

/** The payload of the code that an attempt's browser brings back to the account's page. */
type FoundReport = { testId: string; reference: string; report: ConnectorTestReport };
const reportPurpose = 'connector-test-report';

export type LiveTests = ReturnType<typeof createLiveTests>;

/** A live test as its own person sees it. */
export type LiveTestView = { test: LiveTest; state: LiveTestState; connector: Connector };

/**
 * Live tests of connectors. No admin can have somebody else sign in and read what their provider says of them: whoever
 * begins a test must be logged in as the person who prepared it, and so must the browser be in which it ended, since
 * the link to the provider can be carried to another one.
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

    /**
     * What the attempt of this reference found, for the unit in which it ends, and where its browser goes with it:
     * nobody reads it before that browser has shown whose it is.
     */
    finish(id: string, reference: string, report: ConnectorTestReport) {
      const found = { testId: id, reference, report };
      const { secret, statement } = codes.issue<FoundReport>(
        reportPurpose,
        found,
        reportLifetimeMilliseconds,
      );
      return { statement, location: `${pageOf(id)}?code=${secret}` };
    },

    /**
     * Takes what the browser of this person brings back from their test; nothing for any other code, or once more.
     * Throws `not_found`.
     */
    async receive(id: string, userId: string, code: string): Promise<void> {
      await get(id, userId);
      const found = await codes.find<FoundReport>(reportPurpose, code);
      if (found?.payload.testId !== id) return;
      const { reference, report } = found.payload;
      await database.tryWrite([codes.redeem(reportPurpose, code), store.finish(id, reference, report)]);
    },

    /** Deletes reports that are older than a day. */
    purge: (most: number): Bound<unknown>[] => [store.deleteOld(most)],
  };
}
