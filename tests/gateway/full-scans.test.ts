import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openDatabase, type Database, type Unit } from '../../packages/server/src/database/index.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { addressOf } from '../harness/test-databases.ts';
import { createVisitor } from '../harness/visitor.ts';

let tessera: RunningTessera;
let world: PassportWorld;
const statements = new Set<string>();

/** The database, which writes down what it is asked. */
const openListening: typeof openDatabase = (address, clock): Database => {
  const database = openDatabase(address, clock);
  const note = ({ text }: { text: string }) => void statements.add(text);
  const noteUnit = (unit: Unit) => unit.forEach((part) => note('bound' in part ? part.bound : part));
  return {
    ...database,
    find: (bound) => (note(bound), database.find(bound)),
    list: (bound) => (note(bound), database.list(bound)),
    write: (unit) => (noteUnit(unit), database.write(unit)),
    tryWrite: (unit) => (noteUnit(unit), database.tryWrite(unit)),
  };
};

/** `changes` has a row for each kind of change; a constant row is none of a table. */
const isScan = (step: string) => /^SCAN (?!CONSTANT ROW$|changes\b)/.test(step);

/** The statements so far for which SQLite looks at every row of a table or of an index. */
function findScans(): string[] {
  const address = addressOf(tessera.database);
  if (address.dialect !== 'sqlite') throw new Error('the plans are those of SQLite');
  const file = new DatabaseSync(address.path);
  file.function('tessera_now', () => 0);
  const planOf = (text: string) =>
    file
      .prepare(`explain query plan ${text}`)
      .all()
      .map(({ detail }) => String(detail));
  try {
    return [...statements].filter((text) => planOf(text).some(isScan));
  } finally {
    file.close();
  }
}

beforeAll(async () => {
  tessera = await startTessera('sqlite', { openDatabase: openListening });
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await world?.close();
  await tessera?.close();
});
beforeEach(() => statements.clear());

const host = () => new URL(world.deployment.url).hostname;

test('a visitor who signs in, looks around and signs out makes nobody read a whole table', async () => {
  const visitor = createVisitor();
  expect((await passPassport(visitor, `${world.deployment.url}/`)).status).toBe(200);
  expect((await visitor.visit(`${world.deployment.url}/again`)).status).toBe(200);
  await visitor.visit(`${world.deployment.url}/.well-known/vercel/passport/sign-out`);
  expect(statements.size).toBeGreaterThan(10);
  expect(findScans()).toEqual([]);
});

test('nor does whoever comes by a share link or a bypass secret', async () => {
  const shared = await world.call('share-links.update', { params: { idOrHost: host() }, body: {} });
  const made = await world.call('protection-bypass.update', {
    params: { idOrName: 'site' },
    body: { generate: {} },
  });
  statements.clear();
  const visitor = createVisitor();
  for (const url of [shared.url ?? '', `${world.deployment.url}/by-cookie`]) {
    expect((await visitor.visit(url)).status).toBe(200);
  }
  const program = { accept: '*/*', 'x-vercel-protection-bypass': made.secret ?? '' };
  const setting = { ...program, 'x-vercel-set-bypass-cookie': 'true' };
  const other = createVisitor();
  expect((await other.follow(await other.open(`${world.deployment.url}/`, setting))).status).toBe(200);
  expect((await other.visit(`${world.deployment.url}/by-cookie`)).status).toBe(200);
  expect([...statements].join()).toContain('"shareLinks"');
  expect([...statements].join()).toContain('"automationBypasses"');
  expect(findScans()).toEqual([]);
});
