import type { ConnectorTestReport } from '@tessera/contract';

/** A sign-in at a connector's provider that makes no session: prepared by one person, done once in their browser. */
export type LiveTest = {
  id: string;
  teamId: string;
  connectorId: string;
  /** Who prepared it; nobody else may begin it or read its report, which is about them. */
  userId: string;
  /** The project whose access policy is asked. */
  projectId: string | undefined;
  /** Of the sign-in attempt, once it has begun. */
  reference: string | undefined;
  report: ConnectorTestReport | undefined;
  createdAt: number;
  expiresAt: number;
  startedAt: number | undefined;
  finishedAt: number | undefined;
};

export type LiveTestState = 'waiting' | 'running' | 'finished' | 'expired';

/** The payload of the start code that leads from the account's page to `{connect}/start`. */
export type ConnectorTestStart = {
  testId: string;
  teamId: string;
  connectorId: string;
  projectId?: string | undefined;
  reference: string;
};

export const connectorTestStartPurpose = 'connector-test-start';

export function stateOf(test: LiveTest, now: number): LiveTestState {
  if (test.finishedAt !== undefined) return 'finished';
  if (test.expiresAt <= now) return 'expired';
  return test.startedAt === undefined ? 'waiting' : 'running';
}

const maximumTextLength = 1_000;
const maximumItems = 100;
const maximumDepth = 5;
const maximumClaims = 200;
const maximumReportLength = 32 * 1024;
// A JOSE object in compact form begins with the base64url of `{"`.
const tokenForm = /eyJ[\w-]{5,}\.[\w-]*\.[\w.-]*/;
const leftOut = '[left out: this looks like a token]';

/**
 * Claims as a report may show them: a report is copied into tickets and chats, so nothing in it may open a door, and
 * no provider can make it large.
 */
export function toReported(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const reported: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  let length = 0;
  for (const [name, value] of Object.entries(claims).slice(0, maximumClaims)) {
    const shown = /token|secret|password/i.test(name) ? leftOut : shorten(value, 0);
    length += name.length + JSON.stringify(shown).length;
    reported[name.slice(0, 200)] =
      length > maximumReportLength ? '[left out: the claims are too long]' : shown;
  }
  return { ...reported };
}

function shorten(value: unknown, depth: number): unknown {
  if (typeof value === 'string') {
    if (tokenForm.test(value)) return leftOut;
    return value.length > maximumTextLength ? `${value.slice(0, maximumTextLength)}…` : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth === maximumDepth) return '…';
  if (Array.isArray(value)) return value.slice(0, maximumItems).map((item) => shorten(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, maximumItems)
      .map(([name, item]) => [
        name.slice(0, 200),
        /token|secret|password/i.test(name) ? leftOut : shorten(item, depth + 1),
      ]),
  );
}
