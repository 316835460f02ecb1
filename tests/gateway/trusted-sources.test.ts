import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactSign,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWK,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { createApiToken } from '../harness/front-door.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

const header = 'x-vercel-trusted-oidc-idp-token';
type Site = { url: string; projectId: string; projectName: string; id: string };

/** A CI service that signs tokens for its workloads, and can be broken. */
async function startIssuer() {
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

describe.each(databaseKinds)('trusted sources, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  let stranger: CryptoKey;
  let shop: Site;
  let preview: Site;
  let api: Site;
  let builder: string;

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    issuer = await startIssuer();
    stranger = (await generateKeyPair('RS256')).privateKey;
    shop = await world.protect('shop');
    api = await world.protect('orders');
    preview = { ...shop, url: await deploy(shop.projectId, 'preview') };
    const builds = [shop, api].flatMap(({ projectId }) =>
      ['production', 'preview'].map((environment) => ({ projectId, environment })),
    );
    builder = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'builder',
      teamSlug: world.team.slug,
      builds,
    });
  });
  afterAll(async () => {
    issuer?.close();
    await world?.close();
    await tessera?.close();
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
  const update = (site: Site, trustedSources: object | null, teamId = world.team.id) =>
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
    site: Pick<Site, 'projectId'>,
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
  const production = { slugs: ['production'] };
  const entries = (claims: object = {}, to: object = production) => ({
    oidcProviders: {
      [issuer.state.issuer]: [
        { to, claims: { aud: ['https://acme.example'], sub: ['repo:acme/site:main'], ...claims } },
      ],
    },
  });

  test('a workload of the project calls its own environment, and the header goes no further', async () => {
    const token = await mint(shop, { environment: 'production', audience: shop.url });
    const answer = await call(shop.url, token);
    expect(answer.status, answer.text).toBe(200);
    const { headers } = answer.json() as Echo;
    expect(headers[header]).toBeUndefined();
    expect(headers['x-vercel-oidc-passport-token']).toBeUndefined();
    expect(JSON.stringify(headers)).not.toContain(token);
    const upper = await send(`${shop.url}/data`, { headers: ['X-VERCEL-Trusted-OIDC-IdP-Token', token] });
    expect(upper.status).toBe(200);
    // Spelled so that only a CGI program would take it for ours.
    const other = await send(`${shop.url}/data`, { headers: { x_vercel_trusted_oidc_idp_token: token } });
    expect(other.status).toBe(401);
  });

  test('a running deployment exchanges its token for one that names the deployment it calls, where that says so (federation-07)', async () => {
    const running = await mint(shop, { environment: 'production' });
    // Whoever was sent the token could do the same: what holds by default is for those who are known.
    for (const setting of [null, { acceptDefaultAudience: true }, { projects: { [api.projectId]: {} } }]) {
      await update(shop, setting);
      const refused = await exchange(running, shop.url);
      expect([refused.status, (refused.json() as { code: string }).code]).toEqual([400, 'invalid_target']);
    }
    expect((await mint(shop, { environment: 'production', audience: shop.url })).split('.')).toHaveLength(3);
    await update(shop, { projects: { [shop.projectId]: {} } });
    const answer = await exchange(running, shop.url);
    expect(answer.status, answer.text).toBe(200);
    const { token } = answer.json() as { token: string };
    expect((await call(shop.url, token)).status).toBe(200);
    // Nobody named the others: not by a list, and not by trusting this one.
    for (const audience of [api.url, `${shop.url}/`, 'http://nobody.app.localhost:1', tessera.urls.origin]) {
      expect((await exchange(running, audience)).status, audience).toBe(400);
    }
    await update(shop, { projects: { [shop.projectId]: { customAllow: [] } } });
    expect((await exchange(running, shop.url)).status).toBe(400);
    await update(shop, null);
  });

  test('development calls preview, and any other pair is told that it may not', async () => {
    const development = await world.call('tokens.mint', {
      params: { idOrName: shop.projectId },
      query: { teamId: world.team.id },
      body: { environment: 'development', audience: preview.url },
    });
    expect((await call(preview.url, development.token)).status).toBe(200);
    const own = await mint(shop, { environment: 'preview', audience: preview.url });
    expect((await call(preview.url, own)).status).toBe(200);
    await update(shop, { acceptDefaultAudience: true });
    const from = async (environment: string) => mint(shop, { environment });
    for (const [token, url] of [
      [await from('preview'), shop.url],
      [await from('production'), preview.url],
    ] as const) {
      const answer = await call(url, token);
      expect(answer.status).toBe(403);
      expect(answer.headers['x-vercel-error']).toBe('TRUSTED_SOURCES_ENVIRONMENT_MISMATCH');
      expect(answer.json()).toMatchObject({ error: { code: 'TRUSTED_SOURCES_ENVIRONMENT_MISMATCH' } });
      expect(answer.text).not.toContain(token);
    }
    await update(shop, null);
  });

  test('a token for the team, for another host or for us falls through to the other rules', async () => {
    const standard = await mint(shop, { environment: 'production' });
    expect((await call(shop.url, standard)).status).toBe(401);
    await update(shop, { acceptDefaultAudience: true });
    expect((await call(shop.url, standard)).status).toBe(200);
    await update(shop, null);
    const other = await mint(shop, { environment: 'preview', audience: preview.url });
    expect((await call(shop.url, other)).status).toBe(401);
    const assertion = await mint(shop, { environment: 'production', audience: tessera.urls.origin });
    expect((await call(shop.url, assertion)).status).toBe(401);
  });

  test('other projects of the team by pairs of environments; what is saved replaces the defaults', async () => {
    await update(shop, { projects: { [api.projectId]: {} } });
    const asked = (audience: string, environment = 'production') => mint(api, { environment, audience });
    expect((await call(shop.url, await asked(shop.url))).status).toBe(200);
    await expect(asked(preview.url)).rejects.toThrow('invalid_target');
    // The project itself keeps its defaults as long as nothing is said of it.
    const own = await mint(shop, { environment: 'production', audience: shop.url });
    expect((await call(shop.url, own)).status).toBe(200);
    await update(shop, {
      projects: {
        [api.projectId]: { customAllow: [{ from: production, to: { slugs: ['preview'] } }] },
        [shop.projectId]: { customAllow: [] },
      },
    });
    expect((await call(preview.url, await asked(preview.url))).status).toBe(200);
    const codes = [(await call(shop.url, own)).headers['x-vercel-error']];
    expect(codes).toEqual(['TRUSTED_SOURCES_ENVIRONMENT_MISMATCH']);
    await update(shop, null);
    // Trusted once is not trusted for ever.
    await update(shop, { projects: { [api.projectId]: {} } });
    const later = await asked(shop.url);
    await update(shop, null);
    expect((await call(shop.url, later)).status).toBe(401);
  });

  const openToForks = (projectId: string, teamId: string) =>
    world.call('projects.update', {
      params: { idOrName: projectId },
      query: { teamId },
      body: {
        oidcTokenConfig: {
          mintPolicy: {
            mode: 'enforce',
            rules: [{ name: 'reviews', environments: ['preview'], forks: true }],
          },
        },
      },
    });
  const pullRequest = { provider: 'github', repository: 'acme/site', ref: 'fix', pullRequest: 7 };

  test('a build of a fork is a stranger, and so is one of a pull request of which nobody says whose it is (federation-14)', async () => {
    const site = await world.protect(`forked-${kind}`);
    const url = await deploy(site.projectId, 'preview');
    // Otherwise it would have no token at all.
    await openToForks(site.projectId, world.team.id);
    const bearer = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'forks',
      teamSlug: world.team.slug,
      builds: [{ projectId: site.projectId, environment: 'preview' }],
    });
    for (const [fork, status] of [
      [true, 401],
      [undefined, 401],
      [false, 200],
    ] as const) {
      const { id } = await world.call('deployments.create', {
        query: { teamId: world.team.id },
        body: {
          projectId: site.projectId,
          environment: 'preview',
          upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
          git: { ...pullRequest, fork },
        },
      });
      const token = await mint(site, { deploymentId: id, audience: url }, { bearer });
      expect((await call(url, token)).status, String(fork)).toBe(status);
    }
  });

  test('a token ends with what it rests on', async () => {
    const site = await world.protect(`ending-${kind}`);
    await update(shop, { projects: { [site.projectId]: {} } });
    const own = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'ending',
      teamSlug: world.team.slug,
      builds: [{ projectId: site.projectId, environment: 'production' }],
    });
    const answer = await send(
      `${tessera.urls.api}/v1/projects/${site.projectId}/token?teamId=${world.team.id}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json' },
        body: JSON.stringify({ environment: 'production', audience: shop.url }),
      },
    );
    const { token } = answer.json() as { token: string };
    expect((await call(shop.url, token)).status).toBe(200);
    await world.call('projects.update', {
      params: { idOrName: site.projectId },
      query: { teamId: world.team.id },
      body: { oidcTokenConfig: { enabled: false } },
    });
    expect((await call(shop.url, token)).status).toBe(401);
    await update(shop, null);
  });

  test('another team is a stranger, and can be named as an outside issuer by its id', async () => {
    const other = await world.call('teams.create', { body: { slug: 'partner', name: 'Partner' } });
    const query = { teamId: other.id };
    const project = await world.call('projects.create', { query, body: { name: 'caller' } });
    await world.call('projects.update', {
      params: { idOrName: project.id },
      query,
      body: { oidcTokenConfig: { audiences: ['https://for-shop.example'] } },
    });
    const { token } = await world.call('tokens.mint', {
      params: { idOrName: project.id },
      query,
      body: { environment: 'development', audience: 'https://for-shop.example' },
    });
    expect((await call(shop.url, token)).status).toBe(401);
    const iss = `${tessera.urls.oidc}/partner`;
    const named = (claims: object, issuerOf = iss) => ({
      oidcProviders: { [issuerOf]: [{ to: production, claims }] },
    });
    expect(await refusal(named({ aud: ['https://for-shop.example'], sub: ['x'] }))).toContain('"owner_id"');
    const claims = {
      aud: ['https://for-shop.example'],
      owner_id: [other.id],
      project_id: [project.id],
    };
    await update(shop, named(claims));
    expect((await call(shop.url, token)).status).toBe(200);
    expect((await call(preview.url, token)).status).toBe(401);
    await openToForks(project.id, other.id);
    const bearer = await createApiToken(tessera.urls.origin, world.admin, {
      name: `partner-${kind}`,
      teamSlug: 'partner',
      builds: [{ projectId: project.id, environment: 'preview' }],
    });
    for (const [fork, status] of [
      [true, 401],
      [undefined, 401],
      [false, 200],
    ] as const) {
      const asked = {
        environment: 'preview',
        audience: 'https://for-shop.example',
        git: { ...pullRequest, fork },
      };
      const build = await mint({ projectId: project.id }, asked, { bearer, teamId: other.id });
      expect((await call(shop.url, build)).status, String(fork)).toBe(status);
    }
    for (const wrong of [
      named({ ...claims, aud: [shop.url] }),
      named({ ...claims, owner_id: [world.team.id] }),
      named({ ...claims, project_id: [shop.projectId] }),
      named(claims, `${tessera.urls.oidc}/partners`),
      named(claims, `${tessera.urls.oidc}/`),
    ]) {
      await update(shop, wrong);
      expect((await call(shop.url, token)).status).toBe(401);
    }
    await update(shop, null);
  });

  test('an outside workload calls by the claims that the project names', async () => {
    await update(api, entries({ groups: ['deployers', 'admins'] }));
    expect((await call(api.url, await sign({ groups: ['guests', 'admins'] }))).status).toBe(200);
    expect(
      (await call(api.url, await sign({ groups: 'deployers', aud: ['x', 'https://acme.example'] }))).status,
    ).toBe(200);
    for (const claims of [
      {},
      { groups: ['Admins'] },
      { groups: ['admins,guests'] },
      { groups: { admins: true } },
      { groups: 'admins', sub: 'repo:acme/site:mainx' },
      { groups: 'admins', sub: 'repo:acme/site:Main' },
      { groups: 'admins', aud: 'https://acme.example/' },
      { groups: 'admins', aud: undefined },
    ]) {
      expect((await call(api.url, await sign(claims))).status, JSON.stringify(claims)).toBe(401);
    }
    await update(api, entries({}, { slugs: ['preview'] }));
    expect((await call(api.url, await sign())).status).toBe(401);
    await update(api, entries({}, { preset: 'all-custom' }));
    expect((await call(api.url, await sign())).status).toBe(401);
    await update(api, null);
    expect((await call(api.url, await sign())).status).toBe(401);
  });

  test('forged, old, strange and repeated tokens open nothing', async () => {
    await update(api, entries());
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer.state.issuer, aud: 'https://acme.example', sub: 'repo:acme/site:main' };
    const good = await sign();
    const bad = [
      await sign({}, { key: stranger }),
      await sign({}, { life: -120 }),
      await sign({}, { life: 30 * 3_600 }),
      await sign({ nbf: now + 3_600 }),
      await sign({}, { header: { typ: 'at+jwt' } }),
      await sign({}, { header: { kid: 'made-up' } }),
      await sign({ iss: `${issuer.state.issuer}/` }),
      await sign({ iss: `${issuer.state.issuer}.evil.example` }),
      await sign({ iss: issuer.state.issuer.replace('localhost', 'LOCALHOST') }),
      await sign({ iss: tessera.urls.oidc }),
      await sign({ iss: `${tessera.urls.oidc}/${world.team.slug}` }),
      await sign({ iss: '__proto__' }),
      await new SignJWT({ ...claims, iat: now, exp: now + 60 })
        .setProtectedHeader({ alg: 'HS256', kid: 'ci' })
        .sign(new TextEncoder().encode(JSON.stringify(issuer.jwk))),
      new UnsecuredJWT({ ...claims, iat: now, exp: now + 60 }).encode(),
      good.slice(0, -2),
      `Bearer ${good}`,
      `${good}, ${good}`,
      'not a token',
      '',
    ];
    for (const token of bad) {
      const answer = await call(api.url, token);
      expect([answer.status, answer.headers['x-vercel-error']], token.slice(0, 60)).toEqual([
        401,
        'SIGN_IN_REQUIRED',
      ]);
    }
    const twice = await send(`${api.url}/data`, { headers: [header, good, header, good] });
    expect(twice.status).toBe(401);
    // Tokens of ours for other uses: a visitor's, an ID token's kind, an access token.
    const visitor = createVisitor();
    await visitor.visit(api.url);
    for (const cookie of visitor.cookies.list()) {
      expect((await call(api.url, cookie.value)).status).toBe(401);
    }
    expect((await call(api.url, builder)).status).toBe(401);
    // A person still gets to sign in, with such a header or without.
    const person = await send(api.url, { headers: { [header]: 'not a token', accept: 'text/html' } });
    expect(person.status).toBe(303);
    expect((await call(api.url, good)).status).toBe(200);
    await update(api, null);
  });

  test('federation-08 a token that says a claim twice opens nothing, whichever is the right one', async () => {
    await update(api, entries());
    const now = Math.floor(Date.now() / 1000);
    const text = (more: string) =>
      new CompactSign(
        new TextEncoder().encode(
          `{"iss":"${issuer.state.issuer}","aud":"https://acme.example","iat":${now},"exp":${now + 60},${more}}`,
        ),
      )
        .setProtectedHeader({ alg: 'RS256', kid: 'ci', typ: 'JWT' })
        .sign(issuer.privateKey);
    const right = '"sub":"repo:acme/site:main"';
    expect((await call(api.url, await text(right))).status).toBe(200);
    for (const more of [`"sub":"repo:eve/site",${right}`, `${right},"sub":"repo:eve/site"`]) {
      expect((await call(api.url, await text(more))).status, more).toBe(401);
    }
    await update(api, null);
  });

  test('fetches from no issuer that the project does not name', async () => {
    await update(api, entries());
    const other = await startIssuer();
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({
      iss: other.state.issuer,
      aud: 'https://acme.example',
      sub: 'repo:acme/site:main',
      jku: `${other.state.issuer}/jwks`,
      iat: now,
      exp: now + 60,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'ci', jku: `${other.state.issuer}/jwks`, jwk: other.jwk })
      .sign(other.privateKey);
    expect((await call(api.url, token)).status).toBe(401);
    expect(other.state.asked).toBe(0);
    // Signed by somebody else, with where to find the key.
    const pointed = await sign(
      {},
      {
        key: other.privateKey,
        header: { jku: `${other.state.issuer}/jwks`, jwk: other.jwk },
      },
    );
    expect((await call(api.url, pointed)).status).toBe(401);
    expect(other.state.asked).toBe(0);
    other.close();
    await update(api, null);
  });

  test('says when a named issuer cannot be asked, and does not ask it for every token', async () => {
    const dead = await startIssuer();
    dead.state.broken = true;
    await update(api, {
      oidcProviders: {
        [dead.state.issuer]: [{ to: production, claims: { aud: ['a'], sub: ['s'] } }],
      },
    });
    const token = await sign({ iss: dead.state.issuer });
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(api.url, token)));
    for (const answer of answers) {
      expect(answer.status).toBe(403);
      expect(answer.headers['x-vercel-error']).toBe('TRUSTED_SOURCES_OIDC_DISCOVERY_FAILED');
    }
    expect(dead.state.asked).toBe(1);
    tessera.advance(31_000);
    expect((await call(api.url, token)).status).toBe(403);
    expect(dead.state.asked).toBe(2);
    // Whoever comes without a token, or may pass otherwise, does not notice.
    expect((await send(api.url, { headers: { accept: 'application/json' } })).status).toBe(401);
    dead.close();
    await update(api, null);
  });

  test('takes no setting that would let in more than it says', async () => {
    const one = (iss: string, claims: object, to: object = production) => ({
      oidcProviders: { [iss]: [{ to, claims }] },
    });
    const github = 'https://token.actions.githubusercontent.com';
    const cases: [object, string][] = [
      [one(github, { aud: ['a'] }), '"repository"'],
      [one(github, { repository: ['acme/site'] }), '"aud"'],
      [one(github, { aud: ['a'], ref: ['main'] }), '"aud" alone would let in everyone'],
      [one('https://gitlab.com', { aud: ['a'], repository: ['x'] }), '"project_path"'],
      [one('https://api.bitbucket.org/2.0/workspaces/a', { aud: ['a'] }), '"workspaceUuid"'],
      [one('https://oidc.vercel.com/acme', { aud: ['a'], sub: ['x'] }), '"owner_id"'],
      [one('https://ci.example', { aud: ['a'], repository: ['x'] }), '"sub"'],
      [one(github, { aud: ['a'], sub: ['repo:acme/*'] }), 'compared exactly'],
      [one(github, { aud: [], sub: ['x'] }), 'bad_request'],
      [one(github, { aud: ['a'], sub: [''] }), 'bad_request'],
      [one(github, { aud: ['a'], sub: ['x'] }, {}), 'bad_request'],
      [one(github, { aud: ['a'], sub: ['x'] }, { slugs: [] }), 'bad_request'],
      [one('ci.example', { aud: ['a'], sub: ['x'] }), 'expected the issuer as a URL'],
      [one('ftp://ci.example', { aud: ['a'], sub: ['x'] }), 'https'],
      [one('https://ci.example/?a=b', { aud: ['a'], sub: ['x'] }), 'no query'],
      [one('https://user:pw@ci.example', { aud: ['a'], sub: ['x'] }), 'user name or password'],
      [one('http://ci.example', { aud: ['a'], sub: ['x'] }), 'https'],
      [one('https://169.254.169.254', { aud: ['a'], sub: ['x'] }), 'private or special network'],
      [one('https://[::1]', { aud: ['a'], sub: ['x'] }), 'private or special network'],
      [one('https://10.0.0.1:8443', { aud: ['a'], sub: ['x'] }), 'private or special network'],
      [{ projects: { [`prj_${'x'.repeat(24)}`]: {} } }, 'unknown_project'],
      [{ projects: { shop: {} } }, 'bad_request'],
      [{ projects: { [shop.projectId]: { customAllow: [{ from: production }] } } }, 'bad_request'],
      [{ everything: true }, 'bad_request'],
    ];
    for (const [setting, why] of cases) {
      expect(await refusal(setting), JSON.stringify(setting)).toContain(why);
    }
    const good = one(github, { aud: ['https://github.com/acme'], repository: ['acme/site'] });
    expect((await update(api, good)).trustedSources).toEqual({
      ...good,
      projects: {},
      acceptDefaultAudience: false,
    });
    await update(api, null);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.team.id } });
    const change = records.find(
      ({ action, object }) => action === 'project.update' && object === api.projectId,
    );
    expect(change).toMatchObject({ before: { trustedSources: good }, after: { trustedSources: null } });
  });
});
