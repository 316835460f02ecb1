import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { createApiToken } from '../harness/front-door.ts';
import { createPassportWorld } from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera } from '../harness/start-tessera.ts';
import type { DatabaseKind } from '../harness/test-databases.ts';

/** The header in which a workload that calls a deployment proves itself. */
export const header = 'x-vercel-trusted-oidc-idp-token';
export type CalledSite = { url: string; projectId: string; projectName: string; id: string };
export type TrustStage = Awaited<ReturnType<typeof openTrustStage>>;

/** A CI service that signs tokens for its workloads, and can be broken. */
export async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: 'ci', alg: 'RS256', use: 'sig' };
  const state = { asked: 0, broken: false, issuer: '' };
  const server: Server = createServer((request, response) => {
    state.asked += 1;
    const keys = { keys: [jwk] };
    const document = { issuer: state.issuer, jwks_uri: `${state.issuer}/jwks` };
    response.writeHead(state.broken ? 500 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(request.url === '/jwks' ? keys : document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { state, privateKey, jwk, close: () => server.close() };
}

/** Two protected projects, one with a preview as well, a CI service, and whoever may mint for both. */
export async function openTrustStage(kind: DatabaseKind) {
  const tessera = await startTessera(kind);
  const world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  const issuer = await startIssuer();
  const shop: CalledSite = await world.protect('shop');
  const api: CalledSite = await world.protect('orders');
  const preview: CalledSite = { ...shop, url: await deploy(shop.projectId, 'preview') };
  const builds = [shop, api].flatMap(({ projectId }) =>
    ['production', 'preview'].map((environment) => ({ projectId, environment })),
  );
  const builder = await createApiToken(tessera.urls.origin, world.admin, {
    name: 'builder',
    teamSlug: world.team.slug,
    builds,
  });

  async function deploy(projectId: string, environment: string): Promise<string> {
    const { url } = await world.call('deployments.create', {
      query: { teamId: world.team.id },
      body: {
        projectId,
        environment,
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
      },
    });
    return url.replace(/\/$/, '');
  }
  const update = (site: CalledSite, trustedSources: object | null, teamId = world.team.id) =>
    world.call('projects.update', {
      params: { idOrName: site.projectId },
      query: { teamId },
      body: { trustedSources },
    });
  const refusal = (trustedSources: object): Promise<string> =>
    update(api, trustedSources).then(
      () => 'taken',
      (error: unknown) => (error instanceof ProblemError ? error.message : String(error)),
    );
  const call = (url: string, token: string, more: Record<string, string> = {}): Promise<Answer> =>
    send(`${url}/data`, { headers: { [header]: token, accept: 'application/json', ...more } });

  async function mint(
    site: Pick<CalledSite, 'projectId'>,
    asked: { environment?: string; audience?: string; deploymentId?: string; git?: object },
    { bearer = builder, teamId = world.team.id } = {},
  ): Promise<string> {
    const answer = await send(`${tessera.urls.api}/v1/projects/${site.projectId}/token?teamId=${teamId}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(asked),
    });
    if (answer.status !== 200) throw new Error(answer.text);
    return (answer.json() as { token: string }).token;
  }
  async function exchange(token: string, aud: string): Promise<Answer> {
    return send(`${tessera.urls.oidc}/~token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, aud }),
    });
  }
  function sign(
    claims: object = {},
    more: { header?: object; key?: CryptoKey; life?: number } = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      iss: issuer.state.issuer,
      aud: 'https://acme.example',
      sub: 'repo:acme/site:main',
      iat: now,
      exp: now + (more.life ?? 300),
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'ci', typ: 'JWT', ...more.header })
      .sign(more.key ?? issuer.privateKey);
  }

  async function close(): Promise<void> {
    issuer.close();
    await world.close();
    await tessera.close();
  }

  return {
    tessera,
    world,
    issuer,
    shop,
    api,
    preview,
    builder,
    deploy,
    update,
    refusal,
    call,
    mint,
    exchange,
    sign,
    close,
  };
}
