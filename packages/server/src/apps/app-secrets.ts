import { createId, createOpaqueToken, type WireNames } from '@tessera/protocol';
import type { Clock } from '#clock';
import type { Expected } from '#database';
import { hashSecret, type Sealing } from '#sealing';
import type { App, AppSecret } from './app.ts';
import type { AppStore } from './app-store.ts';

export const mostSecrets = 2;
export const sealingPurpose = 'app-secret';

export type PreparedSecret = {
  secret: AppSecret;
  /** In the clear, to be shown once. */
  clientSecret: string;
  /** Stores it. The first is refused when there is no such app, the second when it has its secrets already. */
  statements: readonly Expected[];
};

/** Makes a secret for an app, for the unit of whoever asked for it. `expiresAt` in milliseconds since the epoch. */
export type PrepareSecret = (
  app: Pick<App, 'id' | 'tokenEndpointAuthMethods'>,
  expiresAt: number | undefined,
) => Promise<PreparedSecret>;

export function createPrepareSecret(needs: {
  store: AppStore;
  clock: Clock;
  sealing: Pick<Sealing, 'seal'>;
  wire: WireNames;
}): PrepareSecret {
  const { store, clock, sealing, wire } = needs;
  return async (app, expiresAt) => {
    const clientSecret = createOpaqueToken(wire.clientSecretPrefix);
    const secret: AppSecret = {
      id: createId('sec'),
      last4: clientSecret.slice(-4),
      createdAt: clock.now(),
      expiresAt,
      lastUsedAt: undefined,
    };
    // Only where it must be read again: an HMAC cannot be checked with a hash of its key.
    const sealed = app.tokenEndpointAuthMethods.includes('client_secret_jwt')
      ? await sealing.seal(sealingPurpose, clientSecret, secret.id)
      : undefined;
    const stored = { ...secret, hash: hashSecret(clientSecret), sealed };
    const statements = store.insertSecret(app.id, stored, mostSecrets);
    return { secret, clientSecret, statements };
  };
}
