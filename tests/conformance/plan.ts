import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatabaseKind } from '../harness/test-databases.ts';
import type { Plan } from './plans.ts';
import { startSuite, type Suite, type SuiteOptions } from './suite.ts';

/** Registers the test of one module, under the module's own name. */
export type DefineModule = (name: string, run: (suite: Suite) => Promise<void>) => void;

/**
 * One plan against one running instance. Fails when a module of the plan has neither a test nor a written reason,
 * and when a test is named after no module.
 */
export function describePlan(
  plan: Plan,
  kind: DatabaseKind,
  define: (module: DefineModule) => void,
  options: SuiteOptions = {},
): void {
  describe(`${plan.title}, on ${kind}`, { timeout: 60_000 }, () => {
    let suite: Suite | undefined;
    beforeAll(async () => {
      suite = await startSuite(kind, options);
    }, 180_000);
    afterAll(() => suite?.close());

    const tested: string[] = [];
    define((name, run) => {
      // Written already, for a feature that is being built: the list says so.
      if (name in plan.notYet) return;
      tested.push(name);
      test(`${name}`, () => {
        if (suite === undefined) throw new Error('the instance is not started yet');
        return run(suite);
      });
    });

    test('every module of the plan has a test or a written reason', () => {
      const reasons = [...Object.keys(plan.notForUs), ...Object.keys(plan.notYet)];
      expect([...tested, ...reasons].toSorted()).toEqual(plan.modules.toSorted());
    });
  });
}
