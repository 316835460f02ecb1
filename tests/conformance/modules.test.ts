import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { plans, type Plan } from './plans.ts';

describe.each(Object.values<Plan>(plans))('the list of $title', (plan) => {
  test('has all modules of the plan, each once, and a file of tests', () => {
    expect(new Set(plan.modules).size).toBe(plan.count);
    expect(plan.modules).toHaveLength(plan.count);
    const isTested = plan.count > Object.keys({ ...plan.notForUs, ...plan.notYet }).length;
    expect(existsSync(join(import.meta.dirname, plan.file))).toBe(isTested);
  });

  test('gives a reason for each module without a test', () => {
    const without = { ...plan.notForUs, ...plan.notYet };
    for (const [name, reason] of Object.entries(without)) {
      expect(plan.modules).toContain(name);
      expect(reason.length).toBeGreaterThan(20);
    }
    const tested = plan.count - Object.keys(without).length;
    console.log(`${plan.title}: ${tested} of ${plan.count} modules have a test`);
    for (const [name, reason] of Object.entries(plan.notForUs))
      console.log(`  not for us: ${name}: ${reason}`);
    for (const [name, reason] of Object.entries(plan.notYet)) console.log(`  not yet: ${name}: ${reason}`);
  });
});

test('the page about conformance has the numbers of the lists', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/reference/conformance.md'), 'utf8');
  for (const plan of Object.values<Plan>(plans)) {
    const tested = plan.count - Object.keys({ ...plan.notForUs, ...plan.notYet }).length;
    const title = plan.title.replace('private_key_jwt', '`private_key_jwt`');
    expect(page).toContain(`| ${title} | ${plan.count} | ${tested} |`);
  }
});
