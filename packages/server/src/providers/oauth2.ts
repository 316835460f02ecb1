import { z } from 'zod';
import { ProviderFailure, type Connector } from '#connectors';
import { refusalOf } from './failure-reading.ts';
import type { ProviderTokens } from './providers.ts';

// RFC 6749 section 5.1; what else is there (a scope in a spelling of its own, an ID token) is not looked at.
const tokenAnswer = z.object({
  access_token: z.string().min(1).max(16_384),
  token_type: z.string().refine((type) => type.toLowerCase() === 'bearer'),
  refresh_token: z.string().min(1).max(16_384).optional().catch(undefined),
  expires_in: z.number().positive().optional().catch(undefined),
});
export const refusedAnswer = z.object({ error: z.string() });

const maximumSubjectLength = 255;

/**
 * Reads the tokens of a code exchange, or of a refresh.
 *
 * @throws ProviderFailure at this step
 */
export async function readTokens(
  response: Response,
  step: 'code_exchange' | 'refresh' = 'code_exchange',
): Promise<{ accessToken: string } & Omit<ProviderTokens, 'idToken'>> {
  const body: unknown = await response.json().catch(() => undefined);
  // GitHub and others refuse with status 200.
  const refused = refusedAnswer.safeParse(body);
  if (refused.success) throw refusalOf(step, refused.data.error, response.status, undefined);
  if (response.status !== 200) throw refusalOf(step, undefined, response.status, undefined);
  const parsed = tokenAnswer.safeParse(body);
  if (parsed.success) {
    const {
      access_token: accessToken,
      refresh_token: refreshToken,
      expires_in: expiresInSeconds,
    } = parsed.data;
    return { accessToken, refreshToken, expiresInSeconds };
  }
  throw new ProviderFailure(step, {
    received: 'an answer without a bearer token',
    expected: 'access_token and token_type "bearer" as JSON',
    mend: 'Check the token endpoint of the connector.',
  });
}

/**
 * Reads who the person is from userinfo.
 *
 * @throws ProviderFailure at step `userinfo`
 */
export async function readPerson(
  { subjectClaim }: Pick<Connector, 'subjectClaim'>,
  response: Response,
): Promise<{ externalSub: string; userinfo: Readonly<Record<string, unknown>> }> {
  if (response.status !== 200) throw refusalOf('userinfo', undefined, response.status, undefined);
  const body: unknown = await response.json().catch(() => undefined);
  const parsed = z.record(z.string(), z.unknown()).safeParse(body);
  if (!parsed.success) {
    throw new ProviderFailure('userinfo', {
      received: 'userinfo that is not one JSON object',
      expected: 'a JSON object about the person',
      mend: 'Check the userinfo endpoint of the connector: it must answer about the person, and not a list.',
    });
  }
  const userinfo = parsed.data;
  const value = Object.hasOwn(userinfo, subjectClaim) ? userinfo[subjectClaim] : undefined;
  return { externalSub: toSubject(subjectClaim, value), userinfo };
}

/**
 * A principal is text. A number stands for its digits, as long as JSON carries it exactly: two numbers that become
 * one would be two people who become one.
 */
function toSubject(claim: string, value: unknown): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && value !== '' && value.length <= maximumSubjectLength) return value;
  throw new ProviderFailure('userinfo', {
    received: `a "${claim}" that is ${describe(value)}`,
    expected: `a text of 1 to ${maximumSubjectLength} characters or a whole number below 2^53`,
    mend: 'Let subjectClaim of the connector name the claim that identifies the person and never changes, such as "id".',
  });
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  if (typeof value === 'number') return 'a number that is not exact';
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}
