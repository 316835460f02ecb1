import { afterAll, beforeAll, describe } from 'vitest';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

export type Place = { readonly tessera: RunningTessera; readonly world: SignInWorld };

/** Tests of the sign-in, on one instance a database: an administrator with a team and an app. */
export function describeSignIn(name: string, body: (place: Place) => void): void {
  describe.each(databaseKinds)(`${name}, on %s`, (kind) => {
    let tessera: RunningTessera | undefined;
    let world: SignInWorld | undefined;
    beforeAll(async () => {
      tessera = await startTessera(kind);
      world = await createSignInWorld(tessera.urls, tessera.setUpLink);
    });
    afterAll(() => tessera?.close());
    body({
      get tessera() {
        if (tessera === undefined) throw new Error('the instance is not started yet');
        return tessera;
      },
      get world() {
        if (world === undefined) throw new Error('the instance is not set up yet');
        return world;
      },
    });
  });
}

/** An `Authorization` header by client_secret_basic. */
export function basic(app: { clientId: string; clientSecret: string }): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}` };
}
