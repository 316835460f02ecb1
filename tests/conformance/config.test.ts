import { verifyDiscovery } from './discovery.ts';
import { describePlan } from './plan.ts';
import { plans } from './plans.ts';

describePlan(plans.config, 'sqlite', (module) => {
  module('oidcc-discovery-endpoint-verification', async ({ metadata }) => {
    await verifyDiscovery(metadata.issuer);
  });
});
