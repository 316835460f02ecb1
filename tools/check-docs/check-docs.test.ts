import { expect, test } from 'vitest';
import { checkPage } from './check-docs.ts';

const there = new Set(['README.md', 'docs/guides/apps.md', 'docs/guides', 'docs/a b.md', 'LICENSE']);
const repository = {
  exists: (path: string) => there.has(path) || path === 'examples/a.ts',
  read: () => 'const a = 1;\nif (a) {\n  start();\n  stop();\n}\n',
  scripts: new Set(['start', 'demo', 'test:long']),
};
const check = (text: string, path = 'docs/guides/apps.md') =>
  checkPage(path, text, repository).map(({ line, found }) => `${line}: ${found}`);

test('a link leads to a file that is there', () => {
  expect(
    check('[a](../../README.md#start) [b](./apps.md) [c](/LICENSE) [d](<../a%20b.md>) [e](../guides)'),
  ).toEqual([]);
  expect(check('[a](https://example.com/x) [b](#below) [c](mailto:a@example.com)')).toEqual([]);
  expect(check('[a](../../../README.md)')).toHaveLength(1);
  expect(check('\n[a](../README.md)')).toEqual(['2: the link to ../README.md points nowhere']);
  expect(check('![a](a.png)')).toEqual(['1: the link to a.png points nowhere']);
  expect(check('[a]: missing.md')).toEqual(['1: the link to missing.md points nowhere']);
  expect(check('<img alt="" src="a.svg">')).toEqual(['1: the link to a.svg points nowhere']);
});

test('what only looks like a link is left alone', () => {
  expect(check('`[a](missing.md)` [^note]: not a link')).toEqual([]);
  expect(check('```md\n[a](missing.md)\n```')).toEqual([]);
});

test('a block of code parses', () => {
  expect(check("```ts\nimport { a } from 'a';\nconst b: string = await a();\n```")).toEqual([]);
  expect(check('```js\nconst a = 1;\n```\n~~~sh\nconst = \n~~~')).toEqual([]);
  expect(check('Text\n\n```ts\nconst a = 1;\nconst = 1;\n```')).toEqual([
    expect.stringMatching(/^5: the ts block does not parse: /),
  ]);
  expect(check('```js\nconst a: string = 1;\n```')).toEqual([expect.stringMatching(/^2: the js block/)]);
  expect(check('1. First\n\n   ```ts title="a.ts"\n   const = 1;\n   ```')).toEqual([
    expect.stringMatching(/^4: the ts block/),
  ]);
});

test('a script that is named can be run', () => {
  expect(
    check('`npm run demo`, `npm run -s demo -- --json`, `npm start`\n```sh\nnpm run test:long\n```'),
  ).toEqual([]);
  expect(check('```sh\nnpm run -s nothing\n```')).toEqual([
    "2: npm run nothing: package.json has no script 'nothing'",
  ]);
  expect(check('`npm test`')).toEqual(["1: npm run test: package.json has no script 'test'"]);
});

test('a sample is what the file it is from says', () => {
  const sample = (code: string, from = 'examples/a.ts') => check(`\`\`\`ts from=${from}\n${code}\n\`\`\``);
  expect(sample('const a = 1;\n// …\nstop();')).toEqual([]);
  expect(sample('  start();\n  stop();')).toEqual([]);
  expect(sample('start();\nstop(a);')).toEqual(['2: the sample is not as in examples/a.ts: stop(a);']);
  expect(sample('stop();\nstart();')).toEqual([
    '2: the sample is not as in examples/a.ts: its lines have another order',
  ]);
  expect(sample('stop();\n// …\nstart();')).toHaveLength(1);
  expect(sample('start();', 'examples/b.ts')).toEqual([
    '2: the sample is from examples/b.ts, which is not there',
  ]);
});
