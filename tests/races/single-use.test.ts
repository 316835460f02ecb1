import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  assertionFields,
  createKey,
  createKeyClient,
  createProof,
  type KeyClient,
} from '../harness/key-client.ts';
import { send, sendForm, type Answer } from '../harness/send.ts';
import { createAuthorizationRequest, passSignInPages } from '../harness/sign-in.ts';
import { createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { spawnTessera, type SpawnedTessera } from '../harness/spawn-tessera.ts';
import { databaseKinds, type DatabaseKind } from '../harness/test-databases.ts';
import { race, roundsOf } from './race.ts';

const parallel = 100;
/** The long counts take their time. */
const limitMs = roundsOf({ short: 180_000, long: 3_600_000 });

type Place = { tessera: SpawnedTessera; world: SignInWorld; client: KeyClient };

/** What counts once: how to make one, how to present it, and how the losers are told. */
type Single<Made> = {
  make(place: Place): Promise<Made>;
  present(made: Made, place: Place, port: number): Promise<Answer>;
  isSuccess(answer: Answer): boolean;
  isRefusal(answer: Answer): boolean;
};

const tokenUrl = ({ tessera }: Place) => `${tessera.urls.api}/login/oauth/token`;
const errorOf = ({ text }: Answer) => (JSON.parse(text) as { error?: string }).error;
const isOk = ({ status }: Answer) => status === 200;

const clientAssertion: Single<Record<string, string>> = {
  make: ({ client }) => assertionFields(client),
  present: (fields, place, port) =>
    sendForm(tokenUrl(place), { grant_type: 'client_credentials', ...fields }, {}, port),
  isSuccess: isOk,
  isRefusal: (answer) => answer.status === 401 && errorOf(answer) === 'invalid_client',
};

const dpopProof: Single<string> = {
  make: async (place) => createProof(await createKey(), { url: tokenUrl(place) }),
  async present(proof, place, port) {
    const { clientId, clientSecret } = place.world.app;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const headers = { authorization: `Basic ${basic}`, dpop: proof };
    return sendForm(tokenUrl(place), { grant_type: 'client_credentials' }, headers, port);
  },
  isSuccess: isOk,
  isRefusal: (answer) => answer.status === 400 && errorOf(answer) === 'invalid_dpop_proof',
};

const pushedRequest: Single<{ url: URL; cookie: string }> = {
  async make({ client, tessera, world }) {
    const pushed = await sendForm(`${tessera.urls.api}/login/oauth/par`, {
      redirect_uri: client.redirectUri,
      response_type: 'code',
      scope: 'openid',
      code_challenge: createHash('sha256').update(randomBytes(8)).digest('base64url'),
      code_challenge_method: 'S256',
      ...(await assertionFields(client)),
    });
    const url = new URL(`${tessera.urls.origin}/oauth/authorize`);
    url.searchParams.set('client_id', client.clientId);
    url.searchParams.set('request_uri', (pushed.json() as { request_uri: string }).request_uri);
    return { url, cookie: world.admin.visitor.cookies.header(url) ?? '' };
  },
  present: ({ url, cookie }, _place, port) => send(url, { headers: { cookie }, port }),
  isSuccess: ({ status, headers }) => status === 303 && (headers.location ?? '').includes('code='),
  isRefusal: ({ status }) => status === 404,
};

async function start(kind: DatabaseKind, careless = false): Promise<Place & AsyncDisposable> {
  const tessera = await spawnTessera(kind, { processes: 4, careless });
  const world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  const { origin: issuer } = tessera.urls;
  const client = await createKeyClient(world.call, { teamId: world.team.id, issuer });
  // Consent is remembered from here on, so that a request is answered at once.
  await passSignInPages(world.admin.visitor, createAuthorizationRequest(issuer, client).url, world.admin);
  return { tessera, world, client, [Symbol.asyncDispose]: () => tessera.close() };
}

async function countSuccesses<Made>(single: Single<Made>, place: Place): Promise<number> {
  const made = await single.make(place);
  const answers = await race(place.tessera.ports, parallel, (port) => single.present(made, place, port));
  const losers = answers.filter((answer) => !single.isSuccess(answer));
  for (const loser of losers) {
    if (!single.isRefusal(loser)) throw new Error(`a loser was answered ${loser.status}: ${loser.text}`);
  }
  return answers.length - losers.length;
}

describe.each(databaseKinds)('presented to four processes on %s', { timeout: limitMs }, (kind) => {
  test('a client assertion, a DPoP proof and a pushed request have each exactly one success of 100 (security-17, 28, 42)', async () => {
    await using place = await start(kind);
    for (let round = 0; round < roundsOf({ short: 20, long: 200 }); round++) {
      expect(await countSuccesses(clientAssertion, place)).toBe(1);
      expect(await countSuccesses(dpopProof, place)).toBe(1);
      expect(await countSuccesses(pushedRequest, place)).toBe(1);
    }
  });

  test('the same check catches a server that looks first and writes later', async () => {
    await using place = await start(kind, true);
    for (let round = 0; round < roundsOf({ short: 2, long: 20 }); round++) {
      expect(await countSuccesses(clientAssertion, place)).toBeGreaterThan(1);
      expect(await countSuccesses(dpopProof, place)).toBeGreaterThan(1);
      expect(await countSuccesses(pushedRequest, place)).toBeGreaterThan(1);
    }
  });
});
