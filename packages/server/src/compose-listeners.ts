import type { Config } from '#config';
import type { Gateway } from '#gateway';
import {
  createClientAddress,
  createHostTable,
  listen,
  problemAnswer,
  type Listener,
  type Mount,
} from '#http';
import type { Logger } from '#logger';
import { listenForWorkloads, type RuntimeTokenNeeds } from './compose-runtime-tokens.ts';

// The operations listener answers whatever host it is asked for: the address alone says what it is.
const operationsUrl = 'http://operations';
const elsewhereUrl = 'http://elsewhere';

export type Listeners = {
  open(): Promise<void>;
  /** Lets running requests end. */
  close(): Promise<void>;
  /** What is listened at now. */
  ports(): number[];
};

/** Builds what answers at each address that the configuration names: which host is whose, and who decides. */
export function composeListeners({
  config,
  logger,
  requestIdHeader,
  gateway,
  identityDoors,
  operationsDoor,
  workloads,
}: {
  config: Config;
  logger: Logger;
  requestIdHeader: string;
  gateway: Gateway;
  identityDoors: readonly Mount[];
  operationsDoor: Mount['doors'][number];
  workloads: RuntimeTokenNeeds;
}): Listeners {
  const listeners: Listener[] = [];
  const tableOf = (base: string, doors: Mount['doors']) =>
    createHostTable([{ base, doors, errors: problemAnswer }], logger).find(new URL(base).host);
  const hosts = createHostTable(config.roles.includes('identity') ? identityDoors : [], logger);
  // A process that is no gateway knows no other host.
  const otherHosts = config.roles.includes('gateway') ? undefined : tableOf(elsewhereUrl, []);
  const operations = tableOf(operationsUrl, [operationsDoor]);
  const listening = {
    clientAddress: createClientAddress(config.trustProxy),
    gateway,
    requestIdHeader,
    logger,
    drainMilliseconds: config.drainSeconds * 1000,
  };

  async function openAll(): Promise<void> {
    listeners.push(
      await listen({
        ...listening,
        ...config.listen,
        certificates: config.certificates,
        findApplication: (host) => hosts.find(host) ?? otherHosts,
      }),
    );
    if (config.decisions !== undefined) {
      const { listen: place, proxies } = config.decisions;
      const decisions = gateway.decisions(proxies, listening.clientAddress);
      // Who connects is a proxy; where the visitor is stands in what it tells.
      const clientAddress = (address = '') => address;
      const at = { ...place, clientAddress, gateway: decisions, findApplication: () => undefined };
      listeners.push(await listen({ ...listening, ...at }));
    }
    listeners.push(
      await listen({ ...listening, ...config.operationsListen, findApplication: () => operations }),
    );
    listeners.push(...(await listenForWorkloads(workloads, listening)));
  }

  const closeAll = async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };

  return {
    async open() {
      try {
        await openAll();
      } catch (error) {
        // One place that is taken leaves none of the others open.
        await closeAll();
        throw error;
      }
    },
    close: closeAll,
    ports: () => listeners.map(({ port }) => port),
  };
}
