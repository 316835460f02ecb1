import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Attempts } from './attempt-store.ts';
import { outcomeOf } from './attempt.ts';

/** `GET /v1/sign-in-attempts?reference=`: the timeline, for the team that the attempt belongs to and nobody else. */
export function createAttemptRest({ attempts }: { attempts: Attempts }): readonly RestDoor[] {
  return [
    restDoor(getRoute('sign-in-attempts.find'), async ({ team, query }) => {
      const attempt = await attempts.find(query.reference);
      if (attempt === undefined || attempt.teamId !== team.id) {
        throw publicError('not_found', {
          description: `The team has no sign-in attempt ${query.reference}.`,
          mend: 'Copy the whole reference from the page, beginning with ref_; a sign-in belongs to the team of the app or deployment.',
        });
      }
      return {
        reference: attempt.reference,
        kind: attempt.kind,
        teamId: attempt.teamId,
        appId: attempt.appId ?? null,
        projectId: attempt.projectId ?? null,
        deploymentId: attempt.deploymentId ?? null,
        createdAt: attempt.createdAt,
        outcome: outcomeOf(attempt.steps),
        steps: attempt.steps.map(({ at, step, outcome, detail }) => ({
          at,
          step,
          outcome,
          detail: detail ?? null,
        })),
      };
    }),
  ];
}
