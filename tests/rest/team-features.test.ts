import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';
import { createApiToken, setUpPerson } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { lookInto } from '../harness/look-into.ts';
import {
  createPassportWorld,
  passPassport,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('a team without Passport, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  /** An owner of a team of their own, of which the instance's administrator is no member. */
  let asEve: Client;
  let eveTeam: { id: string; slug: string };

  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    const { invitation } = await world.call('members.add', {
      params: { id: world.team.id },
      body: { email: 'eve@acme.example', role: 'viewer' },
    });
    const eve = await setUpPerson(String(invitation?.url), {
      email: 'eve@acme.example',
      password: 'quite another passphrase, 6 words',
      name: 'Eve',
    });
    asEve = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, eve, { name: 'mine' }),
    });
    eveTeam = await asEve('teams.create', { body: { slug: 'eve', name: 'Eve' } });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
  });

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
    );
  const switchPassport = (passport: boolean, idOrSlug = world.team.id, call = world.call) =>
    call('team-features.update', { params: { idOrSlug }, body: { passport } });
  const query = () => ({ teamId: world.team.id });
  const open = async (site: ProtectedDeployment, visitor = createVisitor()) => visitor.open(`${site.url}/`);

  test('is made so by an administrator of the instance, of any team, and by nobody else', async () => {
    const params = { idOrSlug: eveTeam.slug };
    expect(await world.call('team-features.get', { params })).toMatchObject({
      teamId: eveTeam.id,
      features: { passport: true },
      usage: { passportProjects: 0, month: expect.stringMatching(/^\d{4}-\d\d$/) },
    });
    expect(await codeOf(switchPassport(false, eveTeam.id, asEve))).toBe('forbidden');
    for (const idOrSlug of [eveTeam.slug, 'team_nobody']) {
      expect(await codeOf(asEve('team-features.get', { params: { idOrSlug } }))).toBe('forbidden');
    }
    expect(await codeOf(switchPassport(false, 'nobody'))).toBe('not_found');
    const builder = await createApiToken(tessera.urls.origin, world.admin, {
      name: 'builder',
      teamSlug: world.team.slug,
      builds: [{ projectId: world.deployment.projectId, environment: 'production' }],
      buildsOnly: true,
    });
    const asBuilder = createClient({ baseUrl: tessera.urls.api, token: builder });
    expect(await codeOf(switchPassport(false, eveTeam.id, asBuilder))).toBe('forbidden');

    expect(await switchPassport(false, eveTeam.slug)).toMatchObject({ features: { passport: false } });
    // Once more changes nothing, and leaves no second record.
    await switchPassport(false, eveTeam.slug);
    const { records } = await asEve('audit-log.list', { query: { teamId: eveTeam.id } });
    expect(records.filter(({ action }) => action === 'team.features')).toEqual([
      expect.objectContaining({
        object: eveTeam.id,
        before: { passport: true },
        after: { passport: false },
      }),
    ]);
    expect((await asEve('teams.get', { params: { id: eveTeam.id } })).features).toEqual({ passport: false });
    await switchPassport(true, eveTeam.slug);
  });

  test('finds neither connectors nor settings, and is told whom to ask', async () => {
    await switchPassport(false);
    const refused = await world.call('connectors.list', { query: query() }).catch((error: unknown) => error);
    expect((refused as ProblemError).problem).toMatchObject({
      status: 404,
      code: 'not_found',
      mend: expect.stringContaining('administrator'),
    });
    const setting = { connectorId: world.connectorId, deploymentType: 'all' as const };
    const params = { idOrName: world.deployment.projectId };
    const calls = [
      () => world.call('connectors.get', { params: { id: world.connectorId }, query: query() }),
      () => world.call('projects.update', { params, query: query(), body: { passport: setting } }),
      () => world.call('projects.update', { params, query: query(), body: { passport: null } }),
      () => world.call('teams.update', { params: { id: world.team.id }, body: { defaultPassport: setting } }),
      () => world.call('passport.usage', { query: query() }),
    ];
    for (const call of calls) expect(await codeOf(call())).toBe('not_found');
    // The rest of a project is theirs as before.
    const { passport } = await world.call('projects.update', {
      params,
      query: query(),
      body: { name: 'site' },
    });
    expect(passport).toMatchObject(setting);
    await switchPassport(true);
    expect(await codeOf(world.call('connectors.list', { query: query() }))).toBe('done');
    expect((await world.call('team-features.get', { params: { idOrSlug: 'acme' } })).usage).toMatchObject({
      passportProjects: 1,
    });
  });

  test('has closed deployments, not open ones: who is in stays, nobody new comes in', async () => {
    const site = await world.protect('closed');
    const inside = createVisitor();
    expect((await passPassport(inside, `${site.url}/`)).status).toBe(200);
    await switchPassport(false);
    await expect.poll(async () => (await open(site)).status, { timeout: 5_000 }).toBe(403);
    const page = await open(site);
    expect(findText(page.text, 'error-code')).toBe('VISIT_REFUSED');
    expect(findText(page.text, 'error-description')).toContain('administrator of the instance');
    const program = await send(`${site.url}/data`, { headers: { accept: 'application/json' } });
    expect(program.status).toBe(403);
    expect((await inside.open(`${site.url}/`)).status).toBe(200);

    // What does not rest on Passport goes on.
    const { secret = '' } = await world.call('protection-bypass.update', {
      params: { idOrName: site.projectId },
      query: query(),
      body: { generate: {} },
    });
    const passed = await send(site.url, { headers: { 'x-vercel-protection-bypass': secret } });
    expect(passed.status).toBe(200);
    const { outcome } = await world.call('protection.explain', {
      query: query(),
      body: { host: new URL(site.url).hostname },
    });
    expect(outcome).toMatchObject({ is: 'refuse', because: expect.stringContaining('administrator') });

    await switchPassport(true);
    await expect.poll(async () => (await open(site)).status, { timeout: 5_000 }).toBe(303);
    expect((await passPassport(createVisitor(), `${site.url}/`)).status).toBe(200);
  });

  test('finishes no sign-in that was on its way', async () => {
    const site = await world.protect('midway');
    const visitor = createVisitor();
    const isFinish = (url: URL) => url.pathname.endsWith('/passport/finish');
    const login = await visitor.visit(`${site.url}/`);
    const person = { username: 'grace', password: 'nobody else has it' };
    const submitted = await visitor.submit(login, 'sign-in', person, 'sign-in-submit');
    const finish = (await visitor.follow(submitted, isFinish)).location();
    await switchPassport(false);
    await expect.poll(async () => (await open(site)).status, { timeout: 5_000 }).toBe(403);
    const refused = await visitor.open(finish);
    expect(refused.status).toBe(403);
    expect(findText(refused.text, 'error-description')).toContain('switched off');
    await switchPassport(true);
    expect((await visitor.open(`${site.url}/`)).status).toBe(303);
  });

  test('is renamed and switched at once, and neither change is lost', async () => {
    const team = await world.call('teams.create', { body: { slug: `race-${kind}`, name: 'Race' } });
    await Promise.all([
      switchPassport(false, team.id),
      world.call('teams.update', { params: { id: team.id }, body: { name: 'Renamed' } }),
    ]);
    expect(await world.call('teams.get', { params: { id: team.id } })).toMatchObject({
      name: 'Renamed',
      features: { passport: false },
    });
  });

  test('uses none in a month in which it never had it, whatever its projects are set to', async () => {
    const project = await world.protect('unused');
    const others = await world.call('teams.create', { body: { slug: `with-${kind}`, name: 'With' } });
    const ours = await world.call('connectors.get', { params: { id: world.connectorId }, query: query() });
    const otherConnector = await world.createConnector(others.id, {
      issuer: ours.issuer,
      clientId: 'tessera',
      clientSecret: 'another',
    });
    const used = await world.protect('used', { teamId: others.id, connectorId: otherConnector });
    const call = createClient({
      baseUrl: tessera.urls.api,
      token: await createApiToken(tessera.urls.origin, world.admin, { name: 'lasting', lifetimeDays: 90 }),
    });
    // Of the team without Passport nobody could ask.
    const usedIn = async (month: string, teamId: string) =>
      (
        await lookInto(
          tessera.database,
          `select "projectId" from "passportUsage" where "teamId" = '${teamId}' and "month" = '${month}'`,
        )
      ).map(({ projectId }) => projectId);
    await switchPassport(false);
    tessera.advance(40 * 24 * 3_600_000);
    const month = new Date(Date.now() + 40 * 24 * 3_600_000).toISOString().slice(0, 7);
    await expect.poll(() => usedIn(month, others.id), { timeout: 15_000 }).toEqual([used.projectId]);
    // What is renamed keeps its setting, and nobody uses it.
    const params = { idOrName: project.projectId };
    await call('projects.update', { params, query: query(), body: { name: 'unused-still' } });
    expect(await usedIn(month, world.team.id)).toEqual([]);
  });
});
