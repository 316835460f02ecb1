import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/protection.md'), 'utf8');
const examples = [...guide.matchAll(/```http\n(\w+) (\S+)\n([^`]*)\n```/g)].map(
  ([, method = '', address = '', body = '']) => ({ method, address, body }),
);

let tessera: RunningTessera;
let world: PassportWorld;
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await world?.close();
  await tessera?.close();
});

test('every call of the guide works, in its order, on a project of its own', async () => {
  expect(examples.length).toBeGreaterThan(8);
  const host = new URL(world.deployment.url).hostname;
  const known: Record<string, string> = { HOST: host };
  const another = await world.protect('another');
  const answers: unknown[] = [];
  for (const { method, address, body } of examples) {
    const filled = (text: string) =>
      text
        .replace('{api}', tessera.urls.api)
        .replaceAll('prj_…', another.projectId)
        .replaceAll(/\b(HOST|SECRET|LINK)\b/g, (name) => known[name] ?? name);
    const answer = await send(filled(address), {
      method,
      headers: { authorization: `Bearer ${world.apiToken}`, 'content-type': 'application/json' },
      body: filled(body),
    });
    expect(answer.status, `${method} ${address} ${body}: ${answer.text}`).toBe(200);
    const { secret } = answer.json() as { secret?: string };
    if (secret !== undefined) known[address.includes('aliases') ? 'LINK' : 'SECRET'] = secret;
    answers.push(answer.json());
  }
  expect(answers.at(-1)).toMatchObject({ outcome: { is: 'pass', by: 'deployment-exception' } });
});

test('the guide has the rules in the order in which they are asked', async () => {
  const named = [...guide.matchAll(/^\| \d \| (.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w-]+)`/g)].map(([, rule]) => rule),
  );
  await world.call('projects.update', { params: { idOrName: 'site' }, body: { protectionExceptions: [] } });
  const host = new URL(world.deployment.url).hostname;
  const { rules } = await world.call('protection.explain', { body: { host } });
  expect(named.slice(0, rules.length)).toEqual(rules.map(({ rule }) => rule));
  expect(named).toHaveLength(10);
});
