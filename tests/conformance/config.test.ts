import { expect } from 'vitest';
import { verifyDiscovery } from './discovery.ts';
import { describePlan } from './plan.ts';
import { plans } from './plans.ts';

describePlan(plans.config, 'sqlite', (module) => {
  module('oidcc-discovery-endpoint-verification', async ({ metadata }) => {
    expect(await verifyDiscovery(metadata.issuer)).toEqual(metadata);
  });
});
