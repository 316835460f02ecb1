import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError, type Client } from '../../packages/contract/src/index.ts';
import { parseWorkloadSubject } from '../../packages/protocol/src/index.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createFederationWorld, type FederationWorld } from './federation-world.ts';

type Step =
  | { do: 'found'; slug: string }
  | { do: 'rename-team'; team: number; slug: string }
  | { do: 'create'; team: number; name: string }
  | { do: 'rename'; team: number; name: string; to: string }
  | { do: 'delete'; team: number; name: string }
  | { do: 'environments'; team: number; name: string; environments: string[] }
  | { do: 'form'; team: number; name: string; subjectForm: 'names' | 'ids' };

// Few names, so that histories meet themselves; some that would be ambiguous with a careless separator.
const slugs = ['t', 't-a', 'a.b', 'a-b', 't.project'];
const names = ['p', 'p-environment', 'p.production', 'q'];
const environments = ['staging', 'qa', 'p.production'];

const team = fc.nat({ max: 2 });
const slug = fc.constantFrom(...slugs);
const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('found' as const), slug }),
  fc.record({ do: fc.constant('rename-team' as const), team, slug }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), team, name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), team, name, to: name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), team, name }) },
  fc.record({
    do: fc.constant('environments' as const),
    team,
    name,
    environments: fc.subarray(environments),
  }),
  fc.record({
    do: fc.constant('form' as const),
    team,
    name,
    subjectForm: fc.constantFrom('names' as const, 'ids' as const),
  }),
);

describe('subjects over all histories of names, on sqlite', () => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld('sqlite');
  });
  afterAll(() => world?.tessera.close());

  let run = 0;

  /** Refusals are part of a history: a name that is taken, a project that is gone. */
  async function attempt<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
    return answer.catch((error: unknown) => {
      if (error instanceof ProblemError && error.problem.status < 500) return undefined;
      throw error;
    });
  }

  async function take(call: Client, teams: string[], one: Step, suffix: string): Promise<void> {
    if (one.do === 'found') {
      const founded = await attempt(call('teams.create', { body: { slug: `${one.slug}${suffix}` } }));
      if (founded !== undefined) teams.push(founded.id);
      return;
    }
    const id = teams[one.team];
    if (id === undefined) return;
    if (one.do === 'rename-team') {
      await attempt(call('teams.update', { params: { id }, body: { slug: `${one.slug}${suffix}` } }));
      return;
    }
    const query = { teamId: id };
    const address = { params: { idOrName: one.name }, query };
    if (one.do === 'create') await attempt(call('projects.create', { query, body: { name: one.name } }));
    if (one.do === 'delete') await attempt(call('projects.delete', address));
    const body =
      one.do === 'rename'
        ? { name: one.to }
        : one.do === 'environments'
          ? { environments: one.environments }
          : one.do === 'form'
            ? { oidcTokenConfig: { subjectForm: one.subjectForm } }
            : undefined;
    if (body !== undefined) await attempt(call('projects.update', { ...address, body }));
  }

  test(
    'no subject ever means a second project or environment (federation-03, federation-04, security-100)',
    { timeout: 180_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 20 }), async (steps) => {
          const { call } = world;
          run += 1;
          const suffix = `-r${run}`;
          const teams: string[] = [];
          const meanings = new Map<string, string>();
          await take(call, teams, { do: 'found', slug: 't' }, suffix);
          await take(call, teams, { do: 'found', slug: 'a-b' }, suffix);
          for (const one of steps) {
            await take(call, teams, one, suffix);
            for (const teamId of teams) {
              const { projects } = await call('projects.list', { query: { teamId } });
              for (const project of projects) {
                for (const environment of project.environments) {
                  const { subject } = await call('tokens.explain', {
                    params: { idOrName: project.id },
                    query: { teamId },
                    body: { environment },
                  });
                  const meaning = `${teamId} ${project.id} ${environment}`;
                  expect(meanings.get(subject) ?? meaning).toBe(meaning);
                  meanings.set(subject, meaning);
                  expect(parseWorkloadSubject(subject)).toMatchObject({ environment });
                }
              }
            }
          }
        }),
        { numRuns: 8 },
      );
    },
  );
});

describe.each(databaseKinds)('names that were in use, on %s', (kind) => {
  let world: FederationWorld;
  beforeAll(async () => {
    world = await createFederationWorld(kind);
  });
  afterAll(() => world?.tessera.close());

  const codeOf = (answer: Promise<unknown>) =>
    answer.then(
      () => 'done',
      (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
    );

  test('are given to nobody else, however many ask at once, and may be taken back by whoever had them (federation-03)', async () => {
    const { call } = world;
    const found = (slug: string) => call('teams.create', { body: { slug } });
    const rename = (id: string, slug: string) => call('teams.update', { params: { id }, body: { slug } });
    const crew = await found('crew');
    await rename(crew.id, 'crew-two');
    const thieves = await Promise.all(Array.from({ length: 5 }, () => codeOf(found('crew'))));
    expect(thieves).toEqual(Array(5).fill('name_taken'));
    const other = await found('other-crew');
    expect(await codeOf(rename(other.id, 'crew'))).toBe('name_taken');
    expect((await rename(crew.id, 'crew')).slug).toBe('crew');

    const query = { teamId: crew.id };
    const create = (name: string) => call('projects.create', { query, body: { name } });
    const project = await create('api-one');
    await call('projects.delete', { params: { idOrName: project.id }, query });
    expect(await codeOf(create('api-one'))).toBe('name_taken');
    const next = await create('api-two');
    const update = (body: object) => call('projects.update', { params: { idOrName: next.id }, query, body });
    expect(await codeOf(update({ name: 'api-one' }))).toBe('name_taken');
    await update({ environments: ['staging'] });
    await update({ environments: [] });
    expect(await codeOf(update({ environments: ['staging'] }))).toBe('name_taken');
  });

  test('names that look like an id, or hold a separator, are refused', async () => {
    const { call } = world;
    for (const bad of ['team_x', 'prj_x', 'a:environment:production', 'A', 'a%3Ab', 'é', 'a.', 'owner']) {
      expect(await codeOf(call('teams.create', { body: { slug: bad } }))).toBe('bad_request');
      expect(
        await codeOf(call('projects.create', { query: { teamId: world.team.id }, body: { name: bad } })),
      ).toBe('bad_request');
      const environments = { body: { environments: [bad] } };
      expect(
        await codeOf(
          call('projects.update', {
            params: { idOrName: 'shop' },
            query: { teamId: world.team.id },
            ...environments,
          }),
        ),
      ).toBe('bad_request');
    }
  });
});
