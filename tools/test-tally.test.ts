import { expect, test } from 'vitest';
import { summarize, tally } from './test-tally.ts';

const file = (status: string, ...tests: string[]) => ({
  name: 'a.test.ts',
  status,
  assertionResults: tests.map((each, index) => ({ fullName: `test ${index}`, status: each })),
});

test('counts single tests and names what was skipped', () => {
  const counts = tally(
    { testResults: [file('passed', 'passed', 'skipped'), file('failed', 'failed', 'passed')] },
    1,
  );
  expect(summarize(counts)).toBe('2 passed, 1 failed, 1 skipped');
  expect(counts.skippedNames).toEqual(['test 1']);
});

test('leaves the skipped out of the line when there are none', () => {
  expect(summarize(tally({ testResults: [file('passed', 'passed')] }, 0))).toBe('1 passed, 0 failed');
});

test('counts a file that does not load as a failure', () => {
  expect(summarize(tally({ testResults: [file('failed')] }, 1))).toBe('0 passed, 1 failed');
});

test('counts a runner that died, or failed without naming a test, as a failure', () => {
  expect(summarize(tally(null, null))).toBe('0 passed, 1 failed');
  expect(summarize(tally({ testResults: [file('passed', 'passed')] }, 1))).toBe('1 passed, 1 failed');
});
