import { getRoute, type TrustPolicyDocument } from '@tessera/contract';
import { restDoor, type RestDoor } from '#http';
import { inputOf, policyWarnings, type TrustPolicy } from './trust-policy.ts';
import type { Simulation, Trust } from './trust.ts';

/** REST doors of trust policies. */
export function createTrustRest({ trust }: { trust: Trust }): readonly RestDoor[] {
  return [
    restDoor(getRoute('trust-policies.list'), async ({ team }) => ({
      policies: (await trust.list(team.id)).map(documentOf),
    })),
    restDoor(getRoute('trust-policies.create'), async ({ team, body, caller, reference }) =>
      documentOf(await trust.create(team, body, { actor: caller.id, reference })),
    ),
    restDoor(getRoute('trust-policies.get'), async ({ team, params }) =>
      documentOf(await trust.get(team.id, params.policyId)),
    ),
    restDoor(getRoute('trust-policies.update'), async ({ team, params, body, caller, reference }) =>
      documentOf(await trust.update(team, params.policyId, body, { actor: caller.id, reference })),
    ),
    restDoor(getRoute('trust-policies.delete'), ({ team, params, caller, reference }) =>
      trust.delete(team.id, params.policyId, { actor: caller.id, reference }),
    ),
    restDoor(getRoute('trust-policies.simulate'), async ({ team, body }) => {
      const simulation = await trust.simulate(team.id, body.token);
      return {
        issuer: simulation.issuer,
        problem: simulation.problem,
        policies: simulation.policies.map(({ policy: { id, name }, matches, checks }) => ({
          id,
          name,
          matches,
          checks,
        })),
        outcome: outcomeOf(simulation),
      };
    }),
  ];
}

function outcomeOf({ problem, policies }: Simulation): string {
  if (problem !== null) return `Refused: ${problem}`;
  const matching = policies.filter(({ matches }) => matches).map(({ policy }) => policy);
  const [first] = matching;
  if (first === undefined) return 'Refused: no policy matches in every line.';
  return matching.length === 1
    ? `Taken, by the policy "${first.name}".`
    : `Refused unless policy_id names one of ${matching.map(({ id }) => id).join(', ')}.`;
}

function documentOf(policy: TrustPolicy): TrustPolicyDocument {
  const { id, teamId, createdAt, createdBy, updatedAt } = policy;
  return {
    ...inputOf(policy),
    id,
    teamId,
    createdAt,
    createdBy,
    updatedAt,
    warnings: policyWarnings(policy),
  };
}
