import type { checkStepSchema } from '@tessera/contract';
import type { output } from 'zod';
import { chooseAlgorithms, ProviderFailure, type ProviderStep } from '#connectors';
import type { GuardedFetch } from '#fetch';
import type { RemoteKeys } from '#remote-keys';
import { findUsableKeys } from './connector-check.ts';
import { discover, type Discovered, type Discovery } from './discovery.ts';

export type CheckStep = output<typeof checkStepSchema>;

/** Each can only be taken when the one before it was. */
const discoverySteps = [
  'url',
  'dns',
  'address',
  'connection',
  'tls',
  'http',
  'document',
  'issuer',
  'endpoints',
] as const satisfies readonly ProviderStep[];
const keySteps = ['algorithms', 'keys'] as const satisfies readonly ProviderStep[];

export type Diagnosis =
  | { steps: readonly CheckStep[]; discovery: Discovery }
  | { steps: readonly CheckStep[]; failure: ProviderFailure };

/** Goes to an issuer step by step, as saving a connector would, and says how far it came. */
export async function diagnose(
  { fetch, remoteKeys }: { fetch: GuardedFetch; remoteKeys: RemoteKeys },
  asked: Discovered,
): Promise<Diagnosis> {
  const order: readonly ProviderStep[] =
    asked.type === 'oidc' ? [...discoverySteps, ...keySteps] : discoverySteps;
  const upTo = (failure: ProviderFailure | undefined): CheckStep[] => {
    const failedAt = failure === undefined ? order.length : order.indexOf(failure.step);
    return order.map((step, index) => ({
      step,
      outcome: index < failedAt ? 'ok' : index === failedAt ? 'failed' : 'skipped',
      detail: index === failedAt && failure ? textOf(failure) : null,
      mend: index === failedAt && failure ? failure.mend : null,
    }));
  };
  try {
    const discovery = await discover(fetch, asked);
    const { jwksUri } = discovery.metadata;
    if (asked.type === 'oidc' && jwksUri !== undefined) {
      await findUsableKeys(remoteKeys, jwksUri, chooseAlgorithms(discovery.metadata));
    }
    return { steps: upTo(undefined), discovery };
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    return { steps: upTo(error), failure: error };
  }
}

export function textOf({ received, expected }: ProviderFailure): string {
  return `Received ${received}. Expected ${expected}.`;
}
