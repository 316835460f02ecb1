import { expect, test } from 'vitest';
import type { Admission } from './admission.ts';
import { createStandings } from './standing.ts';

const standings = createStandings({} as Parameters<typeof createStandings>[0]);

/** A GET at a host that nobody signed in for. */
function keyAt(host: string, projectId: string, address = '192.0.2.1'): string {
  const admission = {
    host: { name: host },
    site: { project: { id: projectId } },
    session: undefined,
    bypasses: { used: [] },
    method: 'GET',
    target: { path: '/' },
    verdict: { outcome: { is: 'pass', by: 'scope' } },
  };
  return standings.of(admission as unknown as Admission, address).key;
}

test('connections of one visitor at one host stand together while the host is one project’s', () => {
  const key = keyAt('www.shop.com', 'prj_a');
  expect(keyAt('www.shop.com', 'prj_a')).toBe(key);
  const others = [
    keyAt('www.shop.com', 'prj_b'),
    keyAt('shop.com', 'prj_a'),
    keyAt('www.shop.com', 'prj_a', '192.0.2.2'),
  ];
  expect(new Set([key, ...others]).size).toBe(4);
});
