import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { startFaultyProvider, type FaultyProvider } from '../harness/faulty-provider.ts';
import { findText } from '../harness/html.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';

type Said = Record<string, unknown>;
const domain = { anyOf: [{ claim: 'email_domain', values: ['corp.example'] }] };
const address = { anyOf: [{ claim: 'email', values: ['ada@corp.example'] }] };
const groups = { anyOf: [{ claim: 'groups', values: ['staff'] }] };
const role = { anyOf: [{ claim: 'role', values: ['root', 'admin'] }] };

describe('who may enter, through the sign-in', () => {
  let provider: FaultyProvider;
  let tessera: RunningTessera;
  let world: PassportWorld;

  beforeAll(async () => {
    provider = await startFaultyProvider();
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink, provider);
    await world.call('connectors.update', {
      params: { id: world.connectorId },
      query: { teamId: world.team.id },
      body: { forwardedClaims: ['groups', 'role', 'email_domain'] },
    });
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
    await provider?.close();
  });

  const setPolicy = (policy: unknown) =>
    world.call('projects.update', {
      params: { idOrName: world.deployment.projectId },
      query: { teamId: world.team.id },
      body: {
        passport: { connectorId: world.connectorId, deploymentType: 'all', policy } as never,
      },
    });

  /** How far somebody comes of whom the provider says this, and nothing else but `sub`. */
  async function enter(said: Said): Promise<{ status: number; error: string; description: string }> {
    provider.misbehave({
      userinfo(body) {
        for (const name of ['email', 'email_verified', 'name']) delete body[name];
        Object.assign(body, said);
      },
    });
    const page = await createVisitor().visit(`${world.deployment.url}/`);
    return {
      status: page.status,
      error: findText(page.text, 'error-code') ?? '',
      description: findText(page.text, 'error-description') ?? '',
    };
  }

  const verified = (email: unknown): Said => ({ email, email_verified: true });
  const denied: [string, unknown, Said][] = [
    ['an address of two readings', domain, verified('a@evil.example@corp.example')],
    ['one of three', domain, verified('a@corp.example@evil.example@corp.example')],
    ['a quoted one', domain, verified('"a@evil.example"@corp.example')],
    ['an empty local part', domain, verified('@corp.example')],
    ['no local part at all', domain, verified('corp.example')],
    ['a subdomain', domain, verified('a@sub.corp.example')],
    ['a longer name', domain, verified('a@xcorp.example')],
    ['a name that goes on', domain, verified('a@corp.example.evil.example')],
    ['a trailing dot', domain, verified('a@corp.example.')],
    ['a letter that looks the same', domain, verified('a@c\u043erp.example')],
    ['a full-width dot', domain, verified('a@corp\uff0eexample')],
    ['an ideographic full stop', domain, verified('a@corp\u3002example')],
    ['a dotted capital', domain, verified('a@corp.exampl\u0130')],
    ['a local part beyond ASCII', domain, verified('ad\u00e0@corp.example')],
    ['an invisible character', domain, verified('a@corp.example\u200b')],
    ['white space', domain, verified('a@corp.example ')],
    ['a line end', domain, verified('a@evil.example\r\n@corp.example')],
    ['a NUL', domain, verified('a@evil.example\0@corp.example')],
    ['a percent sign of an old router', domain, verified('a%corp.example@evil.example')],
    ['a list of addresses', domain, verified(['a@corp.example'])],
    ['an address in words', domain, verified('Ada <a@corp.example>')],
    ['nothing', domain, {}],
    ['an address that is not verified', domain, { email: 'a@corp.example', email_verified: false }],
    ['one of which nobody says it', domain, { email: 'a@corp.example' }],
    ['one that is verified in another language', domain, { email: 'a@corp.example', email_verified: 'yes' }],
    ['one that is verified by a number', domain, { email: 'a@corp.example', email_verified: 1 }],
    ['a claim that calls itself the domain', domain, { email_domain: 'corp.example', email_verified: true }],
    ["another one's address", address, verified('eve@corp.example')],
    ['their address with a tag', address, verified('ada+eve@corp.example')],
    ['theirs, not verified', address, { email: 'ada@corp.example' }],
    ['no groups', groups, {}],
    ['other groups', groups, { groups: ['guests'] }],
    ['groups in capitals', groups, { groups: ['STAFF'] }],
    ['groups in one text', groups, { groups: 'guests,staff' }],
    ['groups as names', groups, { groups: { staff: true } }],
    ['groups within groups', groups, { groups: [['staff']] }],
    ['another role', role, { role: 'rooter' }],
    ['a role that is true', role, { role: true }],
    ['the role under another name', role, { Role: 'root', roles: ['root'] }],
  ];

  test.each(denied)(
    '%s is turned away, and the page says at which step (advisory-20, advisory-21)',
    async (_what, policy, said) => {
      await setPolicy(policy);
      const { status, error, description } = await enter(said);
      expect([status, error]).toEqual([403, 'sign_in_denied']);
      expect(description).toContain('"policy"');
    },
  );

  test('whom a rule names may enter, by each kind of rule', async () => {
    for (const [policy, said] of [
      [domain, verified('Ada@CORP.example')],
      [address, verified('ADA@corp.example')],
      [groups, { groups: ['guests', 'staff'] }],
      [groups, { groups: 'staff' }],
      [role, { role: 'admin' }],
      ['everyone', {}],
    ] as const) {
      await setPolicy(policy);
      expect([said, (await enter(said)).status]).toEqual([said, 200]);
    }
  });

  test('a policy that lets nobody in, or that nobody knows, is not saved (advisory-21)', async () => {
    await setPolicy(groups);
    for (const policy of [
      {},
      null,
      '',
      'nobody',
      'Everyone',
      [],
      { anyOf: [] },
      { allOf: groups.anyOf },
      { anyOf: [{}] },
      { anyOf: [{ claim: 'groups', values: [] }] },
      { anyOf: [{ claim: 'groups', values: [''] }] },
      { anyOf: [{ claim: '', values: ['x'] }] },
      { anyOf: groups.anyOf, mode: 'any' },
    ]) {
      const refused: unknown = await setPolicy(policy).catch((error: unknown) => error);
      expect([policy, refused instanceof ProblemError && refused.problem.status]).toEqual([policy, 400]);
    }
    // What was in force still is.
    expect((await enter({ groups: ['guests'] })).status).toBe(403);
    expect((await enter({ groups: ['staff'] })).status).toBe(200);
  });
});
