import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';
import { sendForm } from '../harness/send.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { startCiService } from './ci-service.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

const now = () => Math.floor(Date.now() / 1000);
const exact = (value: string) => ({ value });

describe.each(databaseKinds)('trust in workloads of other platforms, on %s', (kind) => {
  let world: FederationWorld;
  let ci: Awaited<ReturnType<typeof startCiService>>;

  beforeAll(async () => {
    world = await createFederationWorld(kind);
    ci = await startCiService();
  });
  afterAll(async () => {
    ci?.close();
    await world?.tessera.close();
  });

  const query = () => ({ teamId: world.team.id });
  const policyOf = (more: object = {}) => ({
    name: 'Deploys of the shop',
    issuer: ci.issuer,
    audience: 'tessera',
    claims: [{ name: 'sub', values: [exact('repo:acme/shop:ref:refs/heads/main')] }],
    permissions: ['project:read' as const],
    ...more,
  });
  const create = (more: object = {}) =>
    world.call('trust-policies.create', { query: query(), body: policyOf(more) });
  const remove = (policyId: string) =>
    world.call('trust-policies.delete', { params: { policyId }, query: query() });
  const problemOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => (error instanceof ProblemError ? error.problem : error),
    );
  const exchange = (token: string, more: Record<string, string> = {}) =>
    sendForm(`${world.tessera.urls.api}/login/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      team_id_or_slug: world.team.slug,
      ...more,
    });
  const exchanged = async (token: string, more?: Record<string, string>): Promise<string> => {
    const answer = await exchange(token, more);
    expect(answer.status, answer.text).toBe(200);
    return (answer.json() as { access_token: string }).access_token;
  };
  const descriptionOf = async (token: string, more?: Record<string, string>) => {
    const answer = await exchange(token, more);
    expect(answer.status, answer.text).toBe(400);
    return (answer.json() as { error_description: string }).error_description;
  };
  const clientOf = (token: string): Client => createClient({ baseUrl: world.tessera.urls.api, token });

  test('a job of a trusted repository gets a token of the team that does what the policy gives, and no more', async () => {
    const policy = await create();
    const answer = await exchange(await ci.sign());
    expect(answer.json()).toMatchObject({
      token_type: 'Bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    // Clients made for Vercel name the public client of its command line.
    await exchanged(await ci.sign(), { client_id: 'cl_HYyOPBNtFMfHhaUn9L4QPfTZz6TP47bp' });
    const { access_token: token, expires_in: seconds } = answer.json() as {
      access_token: string;
      expires_in: number;
    };
    // Never longer than the token that it came from.
    expect(seconds).toBeLessThanOrEqual(300);
    const call = clientOf(token);
    const { projects } = await call('projects.list', { query: query() });
    expect(projects.map(({ name }) => name)).toContain('shop');
    expect(
      await problemOf(call('projects.create', { query: query(), body: { name: 'mine' } })),
    ).toMatchObject({
      status: 403,
    });
    expect(await problemOf(call('users.get'))).toMatchObject({ status: 403 });
    expect(await problemOf(call('teams.create', { body: { slug: 'mine' } }))).toMatchObject({ status: 403 });
    expect(
      await problemOf(call('trust-policies.create', { query: query(), body: policyOf() })),
    ).toMatchObject({
      status: 403,
    });
    const { records } = await world.call('audit-log.list', { query: query() });
    expect(records.find(({ action }) => action === 'trust-policy.exchange')).toMatchObject({
      actor: policy.id,
      after: { issuer: ci.issuer, subject: 'repo:acme/shop:ref:refs/heads/main' },
    });

    // The end of the policy is the end of what it gave, at once.
    await remove(policy.id);
    expect(await problemOf(call('projects.list', { query: query() }))).toMatchObject({ status: 401 });
  });

  const update = (policyId: string, body: object) =>
    world.call('trust-policies.update', { params: { policyId }, query: query(), body });

  test('a changed policy trusts by its new lines, and what it gave before ends at once', async () => {
    const policy = await create({ builds: [{ projectId: world.project.id, environment: 'preview' }] });
    const token = await exchanged(await ci.sign());
    const minted = await world.mintToken(token, { environment: 'preview' });
    expect(await world.introspect(minted)).toMatchObject({ active: true });

    // A name is nobody's right.
    expect(await update(policy.id, { name: 'Deploys' })).toMatchObject({ name: 'Deploys', id: policy.id });
    await clientOf(token)('projects.list', { query: query() });
    expect(await world.introspect(minted)).toMatchObject({ active: true });

    const claims = [{ name: 'sub', values: [{ value: 'repo:acme/shop:tag', wildcards: false }] }];
    const changed = await update(policy.id, { claims, permissions: ['team:read'] });
    expect(changed).toMatchObject({ claims, permissions: ['team:read'], builds: policy.builds });
    expect(await problemOf(clientOf(token)('projects.list', { query: query() }))).toMatchObject({
      status: 401,
    });
    expect(await world.introspect(token)).toEqual({ active: false });
    expect(await world.introspect(minted)).toEqual({ active: false });
    expect((await exchange(await ci.sign())).status).toBe(400);
    const next = clientOf(await exchanged(await ci.sign({ sub: 'repo:acme/shop:tag' })));
    expect(await problemOf(next('projects.list', { query: query() }))).toMatchObject({ status: 403 });
    await next('teams.get', { params: { id: world.team.id } });

    const { records } = await world.call('audit-log.list', { query: query() });
    expect(
      records.filter(({ action, object }) => action === 'trust-policy.update' && object === policy.id),
    ).toMatchObject([
      {
        before: { claims: policy.claims, permissions: ['project:read'] },
        after: { claims, permissions: ['team:read'] },
      },
      { before: { name: policy.name }, after: { name: 'Deploys' } },
    ]);
    // What changes nothing is no change.
    await update(policy.id, { claims, name: 'Deploys' });
    await clientOf(await exchanged(await ci.sign({ sub: 'repo:acme/shop:tag' })))('teams.get', {
      params: { id: world.team.id },
    });
    await remove(policy.id);
    expect(await problemOf(update(policy.id, { name: 'Gone' }))).toMatchObject({ status: 404 });
  });

  test('federation-01 federation-02 a change is held against the rules like a new policy', async () => {
    const policy = await create();
    for (const change of [
      {
        issuer: 'https://token.actions.githubusercontent.com',
        claims: [{ name: 'ref', values: [exact('x')] }],
      },
      { claims: [{ name: 'sub', values: [{ value: '*', wildcards: true }] }] },
      { issuer: world.tessera.urls.oidc },
      { permissions: [] },
      { permissions: ['member:write' as const] },
    ]) {
      expect(await problemOf(update(policy.id, change)), JSON.stringify(change)).toMatchObject({
        status: 400,
        code: 'trust_policy_refused',
      });
    }
    for (const change of [{ id: 'pol_other' }, { teamId: 'team_x' }, { claims: [] }]) {
      expect(await problemOf(update(policy.id, change)), JSON.stringify(change)).toMatchObject({
        status: 400,
        code: 'bad_request',
      });
    }
    const read = await world.call('trust-policies.get', { params: { policyId: policy.id }, query: query() });
    expect(read).toEqual(policy);
    await remove(policy.id);
  });

  test('a real token of a workload that is not trusted is on the record; what anybody could write is not', async () => {
    const policy = await create();
    const refusals = async () =>
      (await world.call('audit-log.list', { query: query() })).records.filter(
        ({ action }) => action === 'trust-policy.refuse',
      );
    const before = (await refusals()).length;
    const { privateKey: strange } = await generateKeyPair('RS256');
    await descriptionOf(await ci.sign({ sub: 'repo:evil/unsigned' }, strange));
    await descriptionOf(await ci.sign({ iss: 'https://other.example', sub: 'repo:evil/elsewhere' }));
    expect((await refusals()).length).toBe(before);
    const answer = await exchange(await ci.sign({ sub: 'repo:evil/shop' }));
    const { reference } = answer.json() as { reference: string };
    expect((await refusals())[0]).toMatchObject({
      actor: 'outside-workload',
      reference,
      after: { issuer: ci.issuer, subject: 'repo:evil/shop' },
    });
    await remove(policy.id);
  });

  test('one token is exchanged sixty times a minute at most, and another beside it', async () => {
    const policy = await create();
    const token = await ci.sign({ jti: 'one' });
    const statuses: number[] = [];
    for (let each = 0; each < 61; each++) statuses.push((await exchange(token)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(60);
    expect(statuses.at(-1)).toBe(429);
    await exchanged(await ci.sign({ jti: 'another' }));
    await remove(policy.id);
  });

  test('of changes that meet, one is made and the others are told', async () => {
    const policy = await create();
    const tried = await Promise.all(
      Array.from({ length: 6 }, (_, each) => problemOf(update(policy.id, { name: `Name ${each}` }))),
    );
    expect(tried.filter((problem) => problem === undefined).length).toBeGreaterThan(0);
    for (const problem of tried.filter((one) => one !== undefined)) {
      expect(problem).toMatchObject({ status: 409, code: 'changed_meanwhile' });
    }
    await remove(policy.id);
  });

  test('introspection tells the team what a token of a policy is, and nobody else', async () => {
    const policy = await create({ builds: [{ projectId: world.project.id, environment: 'preview' }] });
    const token = await exchanged(await ci.sign());
    const answer = await world.introspect(token);
    expect(answer).toMatchObject({
      active: true,
      token_type: 'Bearer',
      sub: policy.id,
      owner_id: world.team.id,
      scope: 'project:read oidc-token:build',
    });
    expect(Number(answer['exp']) - Number(answer['iat'])).toBeLessThanOrEqual(300);
    const other = await world.call('teams.create', { body: { slug: `other-${kind}`, name: 'Other' } });
    const stranger = await createApp(world.call, other.id, { name: 'Stranger' });
    const asked = await sendForm(
      `${world.tessera.urls.api}/login/oauth/token/introspect`,
      { token },
      {
        authorization: `Basic ${Buffer.from(`${stranger.clientId}:${stranger.clientSecret}`).toString('base64')}`,
      },
    );
    expect(asked.json()).toEqual({ active: false });
    expect(await world.introspect(`${token.slice(0, -1)}x`)).toEqual({ active: false });
    await remove(policy.id);
    expect(await world.introspect(token)).toEqual({ active: false });
  });

  test('two hundred policies are the most, also of those that are made at once', async () => {
    const { id: teamId } = await world.call('teams.create', { body: { slug: `full-${kind}`, name: 'Full' } });
    const make = (each: number) =>
      problemOf(
        world.call('trust-policies.create', {
          query: { teamId },
          body: policyOf({ name: `Policy ${each}` }),
        }),
      );
    for (let each = 0; each < 190; each += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, more) => make(each + more)));
    }
    const tried = await Promise.all(Array.from({ length: 24 }, (_, each) => make(200 + each)));
    expect(tried.filter((problem) => problem === undefined)).toHaveLength(10);
    for (const problem of tried.filter((one) => one !== undefined)) {
      expect(problem).toMatchObject({
        code: 'trust_policy_refused',
        detail: expect.stringContaining('200') as string,
      });
    }
    const { policies } = await world.call('trust-policies.list', { query: { teamId } });
    expect(policies).toHaveLength(200);
  }, 60_000);

  test('projects bound what is given for projects, and nobody is left to believe more', async () => {
    const { id } = world.project;
    const perProject = 'deployment:write:preview' as const;
    for (const [reason, more] of [
      [/bounds nothing/, { permissions: ['project:read' as const], projectIds: [id] }],
      [/in the whole team/, { permissions: [perProject, 'project:write' as const], projectIds: [id] }],
    ] as const) {
      const problem = await problemOf(create(more));
      expect(problem, String(reason)).toMatchObject({ status: 400, code: 'trust_policy_refused' });
      expect((problem as { detail: string }).detail).toMatch(reason);
    }
    const policy = await create({ permissions: [perProject, 'project:read'], projectIds: [id] });
    expect(policy.warnings.join()).toContain('"project:read": in the whole team');
    await remove(policy.id);
  });

  test('a token of a policy is over when its time is', async () => {
    const policy = await create({ tokenLifetimeSeconds: 60 });
    const call = clientOf(await exchanged(await ci.sign()));
    await call('projects.list', { query: query() });
    world.tessera.advance(61_000);
    expect(await problemOf(call('projects.list', { query: query() }))).toMatchObject({ status: 401 });
    world.tessera.advance(-61_000);
    await remove(policy.id);
  });

  test('a job that may build mints tokens of builds, which end with its policy', async () => {
    const policy = await create({
      permissions: [],
      builds: [{ projectId: world.project.id, environment: 'preview' }],
    });
    const token = await exchanged(await ci.sign());
    expect((await world.mint(token, { environment: 'production' })).status).toBe(403);
    expect((await world.mint(token)).status).toBe(403);
    const minted = await world.mintToken(token, { environment: 'preview' });
    expect(await world.introspect(minted)).toMatchObject({ active: true });
    await remove(policy.id);
    expect(await world.introspect(minted)).toEqual({ active: false });
  });

  test('federation-07 federation-19 the token is refused when it is not exactly what a policy says', async () => {
    const policy = await create({
      claims: [
        { name: 'sub', values: [exact('repo:acme/shop:ref:refs/heads/main'), exact('repo:acme/shop:tag')] },
        { name: 'groups', values: [exact('deployers')] },
      ],
    });
    const right = { groups: ['testers', 'deployers'] };
    await exchanged(await ci.sign(right));
    await exchanged(await ci.sign({ ...right, sub: 'repo:acme/shop:tag' }));
    const { privateKey: strange } = await generateKeyPair('RS256');
    for (const [name, token] of Object.entries({
      'another subject': ci.sign({ ...right, sub: 'repo:acme/shop:ref:refs/heads/main2' }),
      'a claim missing': ci.sign(),
      'a claim with another value': ci.sign({ groups: ['deployers2'] }),
      'an object for a claim': ci.sign({ groups: { deployers: 'deployers' } }),
      'another audience': ci.sign({ ...right, aud: 'https://github.com/acme' }),
      'no audience': ci.sign({ ...right, aud: undefined }),
      'another key': ci.sign(right, strange),
      'an unknown key': ci.sign(right, strange, { kid: 'ci-2' }),
      'another kind': ci.sign(right, undefined, { typ: 'at+jwt' }),
      'no JWT': Promise.resolve('not.a.token'),
    })) {
      expect((await exchange(await token)).status, name).toBe(400);
    }
    expect(await descriptionOf(await ci.sign(right), { policy_id: 'pol_other' })).toContain(
      'no trust policy',
    );
    // Neither does anybody learn which teams there are.
    const elsewhere = await descriptionOf(await ci.sign(right), { team_id_or_slug: 'nobody' });
    await remove(policy.id);
    expect(await descriptionOf(await ci.sign(right))).toBe(elsewhere);
  });

  test('federation-05 federation-06 only the issuer of a saved policy is asked, compared as a whole', async () => {
    const policy = await create();
    const port = new URL(ci.issuer).port;
    ci.asked.length = 0;
    for (const iss of [
      `${ci.issuer}/`,
      `${ci.issuer}@evil.example`,
      `${ci.issuer}.evil.example`,
      `http://LOCALHOST:${port}`,
      `http://127.0.0.1:${port}`,
      `http://localhost:${port}/x`,
      'http://169.254.169.254/latest',
      '',
      undefined,
    ]) {
      expect(await descriptionOf(await ci.sign({ iss })), String(iss)).toContain('no trust policy');
    }
    expect(ci.asked).toEqual([]);
    await remove(policy.id);
  });

  test('federation-08 a claim is found by its exact name alone', async () => {
    const policy = await create();
    const sub = 'repo:acme/shop:ref:refs/heads/main';
    const doubled = `{"iss":"${ci.issuer}","aud":"tessera","iat":${now()},"exp":${now() + 60},"sub":"repo:evil/x","sub":"${sub}"}`;
    expect(await descriptionOf(await ci.signText(doubled))).toContain('"sub" twice'.replaceAll('"', "'"));
    for (const claims of [{ SUB: sub }, { ſub: sub }, { ' sub': sub }]) {
      expect(await descriptionOf(await ci.sign({ sub: 'repo:evil/x', ...claims }))).toContain(
        'no trust policy',
      );
    }
    await remove(policy.id);
  });

  test('several policies that match are a question, which policy_id answers', async () => {
    const [narrow, wide] = [await create(), await create({ name: 'Wider', permissions: ['team:read'] })];
    expect(await descriptionOf(await ci.sign())).toContain("in 'policy_id'");
    const call = clientOf(await exchanged(await ci.sign(), { policy_id: wide.id }));
    expect(await problemOf(call('projects.list', { query: query() }))).toMatchObject({ status: 403 });
    await remove(narrow.id);
    await remove(wide.id);
  });

  test('federation-01 federation-02 a policy that trusts strangers is refused when it is saved', async () => {
    const github = 'https://token.actions.githubusercontent.com';
    const cases: [RegExp, object][] = [
      [/"sub"/, { claims: [{ name: 'ref', values: [exact('main')] }] }],
      [/"repository" or/, { issuer: github, claims: [{ name: 'ref', values: [exact('refs/heads/main')] }] }],
      [/where its owner stands/, { claims: [{ name: 'sub', values: [{ value: '*', wildcards: true }] }] }],
      [
        /where its owner stands/,
        { claims: [{ name: 'sub', values: [{ value: 'repo:*', wildcards: true }] }] },
      ],
      [
        /where its owner stands/,
        { claims: [{ name: 'sub', values: [{ value: 'repo:acme*/x', wildcards: true }] }] },
      ],
      [
        /where its owner stands/,
        { claims: [{ name: 'sub', values: [{ value: '*/shop', wildcards: true }] }] },
      ],
      [/stands for itself/, { claims: [{ name: 'sub', values: [exact('repo:acme/*')] }] }],
      [/has none/, { claims: [{ name: 'sub', values: [{ value: 'repo:acme/shop', wildcards: true }] }] }],
      [/this service itself/, { issuer: world.tessera.urls.oidc }],
      [/neither permissions nor builds/, { permissions: [] }],
      [/cannot be given to a workload/, { permissions: ['member:write'] }],
      [/'projectIds' is empty/, { permissions: ['deployment:write:preview'] }],
    ];
    for (const [reason, more] of cases) {
      const problem = await problemOf(create(more));
      expect(problem, String(reason)).toMatchObject({ status: 400, code: 'trust_policy_refused' });
      expect((problem as { detail: string }).detail).toMatch(reason);
    }
    for (const more of [
      { claims: [] },
      { claims: [{ name: 'aud', values: [exact('x')] }] },
      { claims: [{ name: 'ſub', values: [exact('x')] }] },
      { claims: [{ name: 'sub', values: [] }] },
      { audience: '' },
      { issuer: 'http://user:pw@localhost/' },
    ]) {
      expect(await problemOf(create(more)), JSON.stringify(more)).toMatchObject({
        status: 400,
        code: 'bad_request',
      });
    }
    expect(
      await problemOf(create({ builds: [{ projectId: 'shop', environment: 'preview' }] })),
    ).toMatchObject({ code: 'unknown_project' });
  });

  test('a declared wildcard ends at the separators of a subject, and is warned of', async () => {
    const policy = await create({
      claims: [{ name: 'sub', values: [{ value: 'repo:acme/*:ref:refs/heads/rel-*', wildcards: true }] }],
    });
    expect(policy.warnings.join()).toContain('wildcard');
    await exchanged(await ci.sign({ sub: 'repo:acme/shop:ref:refs/heads/rel-1.2' }));
    for (const sub of [
      'repo:acme/shop:ref:refs/heads/rel-1/evil',
      'repo:acme/shop:environment:x:ref:refs/heads/rel-1',
      'repo:acmexshop:ref:refs/heads/rel-1',
      'xrepo:acme/shop:ref:refs/heads/rel-1',
    ]) {
      expect(await descriptionOf(await ci.sign({ sub })), sub).toContain('no trust policy');
    }
    await remove(policy.id);
  });

  test('the simulation says of each line whether it matches, and of no token that it was used', async () => {
    const policy = await create();
    const simulate = async (token: string) =>
      world.call('trust-policies.simulate', { query: query(), body: { token } });
    const wrong = await simulate(await ci.sign({ sub: 'repo:acme/other' }));
    expect(wrong).toMatchObject({
      problem: null,
      outcome: 'Refused: no policy matches in every line.',
      policies: [
        {
          id: policy.id,
          matches: false,
          checks: [
            { claim: 'aud', matches: true },
            { claim: 'sub', matches: false, because: 'The token has the claim, with none of these values.' },
          ],
        },
      ],
    });
    expect((await simulate(await ci.sign())).outcome).toContain('Taken, by the policy');
    expect((await simulate(await ci.sign({ iss: 'https://other.example' }))).problem).toContain(
      'no policy for',
    );
    const { privateKey } = await generateKeyPair('RS256');
    expect((await simulate(await ci.sign({}, privateKey))).problem).not.toBeNull();
    for (const iss of ['7', 'null', '["https://ci.example"]', '{"a":1}']) {
      const strange = await ci.signText(`{"iss":${iss},"aud":"tessera","iat":${now()},"exp":${now() + 60}}`);
      expect((await simulate(strange)).problem, iss).toContain('a token without issuer');
      expect((await exchange(strange)).status, iss).toBe(400);
    }
    await remove(policy.id);
  });
});
