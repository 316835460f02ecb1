import { findDuplicateMember } from '@tessera/protocol';
import {
  isLike,
  readObject,
  TrustInputRefused,
  show,
  type Claims,
  type Condition,
  type Verifier,
} from './condition.ts';

export type CheckedLine = { line: string; passed: boolean; detail: string };
export type CheckedGrant = { line: string; passed: boolean; lines: readonly CheckedLine[] };
export type Checked = { passed: boolean; token: readonly CheckedLine[]; grants: readonly CheckedGrant[] };

const clockToleranceSeconds = 60;

/**
 * Holds a token against a configuration, line by line. It asks what the configuration would say of a token that is
 * genuine: the signature is the relying party's to verify.
 *
 * @param now seconds since the epoch
 */
export function checkTrust(verifier: Verifier, configuration: unknown, token: string, now: number): Checked {
  const { header, claims } = readToken(token);
  const { grants } = verifier.read(configuration);
  const lines = [
    line(
      'algorithm',
      verifier.algorithms.includes(String(header['alg'])),
      `${show(header['alg'])}; ${verifier.title} takes ${verifier.algorithms.join(', ')}`,
    ),
    line(
      'exp',
      isSeconds(claims['exp']) && claims['exp'] + clockToleranceSeconds > now,
      describeTime(claims['exp'], now),
    ),
    line(
      'nbf',
      claims['nbf'] === undefined ||
        (isSeconds(claims['nbf']) && claims['nbf'] - clockToleranceSeconds <= now),
      describeTime(claims['nbf'], now),
    ),
    ...(verifier.demand?.(configuration, claims) ?? []).map((each) =>
      line(each.line, each.problem === undefined, each.problem ?? 'as demanded'),
    ),
  ];
  const checked = grants.map((grant) => {
    const conditions = grant.conditions.map((condition) => checkCondition(condition, claims));
    return {
      line: grant.line,
      passed: conditions.length > 0 && conditions.every(({ passed }) => passed),
      lines: conditions,
    };
  });
  return {
    passed: lines.every(({ passed }) => passed) && checked.some(({ passed }) => passed),
    token: lines,
    grants: checked,
  };
}

function line(name: string, passed: boolean, detail: string): CheckedLine {
  return { line: name, passed, detail };
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function describeTime(value: unknown, now: number): string {
  if (!isSeconds(value)) return show(value);
  const seconds = Math.round(value - now);
  return seconds < 0 ? `${-seconds} seconds ago` : `in ${seconds} seconds`;
}

function checkCondition({ line: name, claim, match, values }: Condition, claims: Claims): CheckedLine {
  if (match === 'unread') return line(name, false, 'cannot be read, so it is not proven');
  const claimed = claims[claim];
  const received: readonly unknown[] = claim === 'aud' && Array.isArray(claimed) ? claimed : [claimed];
  const fits = received.some(
    (each) =>
      typeof each === 'string' &&
      values.some((value) => (match === 'exact' ? value === each : isLike(each, value))),
  );
  const expected = values.map((value) => JSON.stringify(value)).join(' or ');
  return line(
    name,
    fits,
    fits ? `${claim} is ${show(claimed)}` : `${claim} is ${show(claimed)}; expected ${expected}`,
  );
}

/** Nothing of the token but its claims' values is ever shown. */
function readToken(text: string): { header: Claims; claims: Claims } {
  const parts = text.trim().split('.');
  try {
    if (parts.length !== 3 || text.length > 20_000) throw new RangeError('no token');
    return { header: readPart(parts[0] ?? ''), claims: readPart(parts[1] ?? '') };
  } catch {
    throw new TrustInputRefused(
      'The file holds no token: expected one JWT of three parts, at most 20,000 characters, no claim twice, and nothing else.',
    );
  }
}

function readPart(part: string): Claims {
  if (!/^[\w-]+$/.test(part)) throw new RangeError('not base64url');
  const json = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'));
  const claims = readObject(JSON.parse(json), 'a part of the token');
  if (findDuplicateMember(json) !== undefined) throw new RangeError('a claim stands there twice');
  return claims;
}
