import { getRoute, type ConnectorKeyDocument } from '@tessera/contract';
import { restDoor, type RestDoor } from '#http';
import type { ConnectorCheck, Connectors } from '../connectors.ts';
import { chooseKeyAlgorithm, type ConnectorKey } from './connector-key.ts';

/** `/v1/connectors/{id}/keys`: how a connector's own key is changed without a moment in which none is right. */
export function createConnectorKeyRest({
  connectors,
  discover,
  countTest,
}: {
  connectors: Pick<Connectors, 'get' | 'keys'>;
  discover: ConnectorCheck['discover'];
  countTest: (by: { userId: string; teamId: string }) => Promise<void>;
}): readonly RestDoor[] {
  const { keys } = connectors;

  return [
    restDoor(getRoute('connector-keys.list'), async ({ team, params }) => {
      const { id } = await connectors.get(team.id, params.id);
      return { keys: (await keys.list(id)).map(toDocument) };
    }),

    restDoor(getRoute('connector-keys.create'), async ({ team, params, caller, reference }) => {
      const { id, issuer, type } = await connectors.get(team.id, params.id);
      await countTest({ userId: caller.userId, teamId: team.id });
      // A provider that does not answer now is asked for nothing: its key is of the kind that most of them read.
      const metadata = await discover(issuer, type).catch(() => undefined);
      const changed = { teamId: team.id, connectorId: id, actor: caller.id, reference };
      return toDocument(await keys.create(changed, chooseKeyAlgorithm(issuer, metadata)));
    }),

    restDoor(getRoute('connector-keys.activate'), async ({ team, params, caller, reference }) => {
      const { id } = await connectors.get(team.id, params.id);
      const changed = { teamId: team.id, connectorId: id, actor: caller.id, reference };
      return toDocument(await keys.activate(changed, params.kid));
    }),

    restDoor(getRoute('connector-keys.delete'), async ({ team, params, caller, reference }) => {
      const { id } = await connectors.get(team.id, params.id);
      await keys.delete({ teamId: team.id, connectorId: id, actor: caller.id, reference }, params.kid);
    }),
  ];
}

function toDocument(key: ConnectorKey): ConnectorKeyDocument {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    state: key.isActive ? 'active' : 'published',
    createdAt: key.createdAt,
    certificate: key.certificate,
  };
}
