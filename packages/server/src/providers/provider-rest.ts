import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { testConnection } from './connection-test.ts';
import { diagnose, textOf } from './diagnosis.ts';
import type { LiveTests } from './live-tests/live-tests.ts';
import type { ProvidersNeeds } from './providers.ts';
import type { TestLimits } from './test-limits.ts';

export type ProviderRestNeeds = ProvidersNeeds & {
  liveTests: LiveTests;
  testLimits: TestLimits;
  findProject: (teamId: string, idOrName: string) => Promise<{ id: string } | undefined>;
};

/** `POST /v1/connectors/discover`, `POST /v1/connectors/{id}/test` and `GET /v1/connectors/{id}/tests/{testId}`. */
export function createProviderRest(needs: ProviderRestNeeds): readonly RestDoor[] {
  const { connectors, liveTests, testLimits, findProject } = needs;
  return [
    restDoor(getRoute('connectors.discover'), async ({ team, body, caller }) => {
      await testLimits.count({ userId: caller.userId, teamId: team.id });
      const diagnosis = await diagnose(needs, body);
      if ('failure' in diagnosis) {
        const { failure, steps } = diagnosis;
        throw publicError('discovery_failed', {
          description: `Step "${failure.step}": ${textOf(failure)}`,
          mend: failure.mend,
          extension: { steps },
          cause: failure,
        });
      }
      const { metadata } = diagnosis.discovery;
      return {
        issuer: metadata.issuer,
        authorizationEndpoint: metadata.authorizationEndpoint,
        tokenEndpoint: metadata.tokenEndpoint,
        jwksUri: metadata.jwksUri ?? null,
        userinfoEndpoint: metadata.userinfoEndpoint ?? null,
        endSessionEndpoint: metadata.endSessionEndpoint ?? null,
        tokenEndpointAuthMethodsSupported: [...metadata.tokenEndpointAuthMethodsSupported],
        scopesSupported: [...metadata.scopesSupported],
        idTokenSigningAlgValuesSupported: [...metadata.idTokenSigningAlgValuesSupported],
        authorizationResponseIssParameterSupported: metadata.authorizationResponseIssParameterSupported,
        redirectUri: `${needs.connectUrl}/callback`,
        steps: [...diagnosis.steps],
      };
    }),
    restDoor(getRoute('connectors.test'), async ({ team, params, body, caller, reference }) => {
      const connector = await connectors.get(team.id, params.id);
      const { live, project: idOrName } = body ?? { live: false };
      const project = idOrName === undefined ? undefined : await findProject(team.id, idOrName);
      if (idOrName !== undefined && project === undefined) {
        throw publicError('not_found', { description: `The team has no project "${idOrName}".` });
      }
      await testLimits.count({ userId: caller.userId, teamId: team.id });
      const report = await testConnection(needs, connector);
      if (!live) return { ...report, live: null };
      const prepared = await liveTests.create({
        teamId: team.id,
        connectorId: connector.id,
        userId: caller.userId,
        projectId: project?.id,
        actor: caller.id,
        reference,
      });
      return { ...report, live: prepared };
    }),
    restDoor(getRoute('connector-tests.get'), async ({ team, params, caller }) => {
      const { test, state } = await liveTests.get(params.testId, caller.userId);
      if (test.teamId !== team.id || test.connectorId !== params.id) throw publicError('not_found');
      return {
        id: test.id,
        connectorId: test.connectorId,
        state,
        createdAt: test.createdAt,
        expiresAt: test.expiresAt,
        finishedAt: test.finishedAt ?? null,
        reference: test.reference ?? null,
        report: test.report ?? null,
      };
    }),
  ];
}
