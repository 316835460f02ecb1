import { CompactSign, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../harness/send.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';
import { header, openTrustStage, startIssuer, type TrustStage } from './trust-stage.ts';

describe.each(databaseKinds)('outside issuers as trusted sources, on %s', (kind) => {
  let stage: TrustStage;
  let tessera: TrustStage['tessera'];
  let world: TrustStage['world'];
  let issuer: TrustStage['issuer'];
  let shop: TrustStage['shop'];
  let api: TrustStage['api'];
  let builder: TrustStage['builder'];
  let update: TrustStage['update'];
  let refusal: TrustStage['refusal'];
  let call: TrustStage['call'];
  let sign: TrustStage['sign'];

  beforeAll(async () => {
    stage = await openTrustStage(kind);
    ({ tessera, world, issuer, shop, api, builder, update, refusal, call, sign } = stage);
  });
  afterAll(() => stage?.close());

  const production = { slugs: ['production'] };
  const entries = (claims: object = {}, to: object = production) => ({
    oidcProviders: {
      [issuer.state.issuer]: [
        { to, claims: { aud: ['https://acme.example'], sub: ['repo:acme/site:main'], ...claims } },
      ],
    },
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
      await sign({}, { key: (await generateKeyPair('RS256')).privateKey }),
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

  test('tells nobody of a failing issuer where the deployment hides from their address', async () => {
    const dead = await startIssuer();
    dead.state.broken = true;
    const set = (protectionMode: 'additional' | 'exclusive', value: string) =>
      world.call('projects.update', {
        params: { idOrName: api.projectId },
        query: { teamId: world.team.id },
        body: { trustedIps: { deploymentType: 'all', protectionMode, addresses: [{ value }] } },
      });
    await update(api, {
      oidcProviders: { [dead.state.issuer]: [{ to: production, claims: { aud: ['a'], sub: ['s'] } }] },
    });
    // Nobody has signed this: a stranger may have made it up.
    const token = await sign({ iss: dead.state.issuer });
    const codeOf = async () => (await call(api.url, token)).headers['x-vercel-error'];
    expect(await codeOf()).toBe('TRUSTED_SOURCES_OIDC_DISCOVERY_FAILED');
    for (const mode of ['additional', 'exclusive'] as const) {
      await set(mode, '192.0.2.1');
      expect(await codeOf()).toBe('DEPLOYMENT_NOT_FOUND');
      await set(mode, '127.0.0.1');
      expect(await codeOf()).toBe('TRUSTED_SOURCES_OIDC_DISCOVERY_FAILED');
    }
    await world.call('projects.update', {
      params: { idOrName: api.projectId },
      query: { teamId: world.team.id },
      body: { trustedIps: null },
    });
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
