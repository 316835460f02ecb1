/** The part of the runner's JSON report that the last line is made of. */
export interface Report {
  testResults: {
    name: string;
    status: string;
    assertionResults: { fullName: string; status: string }[];
  }[];
}

export interface Tally {
  passed: number;
  failed: number;
  skippedNames: string[];
}

/**
 * Counts single tests. A file that fails outside of its tests (it does not load, or a hook throws) counts as
 * one failure, and so does a runner that fails without naming a test: a broken run must never read as a good one.
 */
export function tally(report: Report | null, exitStatus: number | null): Tally {
  const counts: Tally = { passed: 0, failed: 0, skippedNames: [] };
  for (const file of report?.testResults ?? []) {
    const failedTests = file.assertionResults.filter((test) => test.status === 'failed').length;
    counts.failed += failedTests === 0 && file.status === 'failed' ? 1 : failedTests;
    counts.passed += file.assertionResults.filter((test) => test.status === 'passed').length;
    for (const test of file.assertionResults) {
      if (test.status !== 'failed' && test.status !== 'passed') counts.skippedNames.push(test.fullName);
    }
  }
  if (counts.failed === 0 && (report === null || exitStatus !== 0)) counts.failed = 1;
  return counts;
}

export function summarize(counts: Tally): string {
  const line = `${counts.passed} passed, ${counts.failed} failed`;
  return counts.skippedNames.length === 0 ? line : `${line}, ${counts.skippedNames.length} skipped`;
}
