import { expect, test } from 'vitest';
import { parseDemoOptions } from './options.ts';

test('without arguments the demo has a folder and a database of its own', () => {
  const options = parseDemoOptions([]);
  expect(options).toMatchObject({ json: false, port: 4000 });
  expect(options.data).toMatch(/\.tessera-demo$/);
  expect(options.database).toBe(`sqlite:${options.data}/tessera.db`);
});

test('every argument can be given', () => {
  expect(
    parseDemoOptions(['--json', '--port', '5000', '--data', '/tmp/x', '--database', 'postgres://u:p@h/d']),
  ).toEqual({ json: true, port: 5000, data: '/tmp/x', database: 'postgres://u:p@h/d' });
});

test.each([
  [['--port', 'x'], '--port x: expected a number from 1 to 65535'],
  [['--port', '0'], '--port 0: expected a number'],
  [['--database', 'mysql://h/d'], 'expected sqlite:PATH or postgres://'],
  [['--jsn'], "Unknown option '--jsn'"],
])('%j is refused and says why', (args, words) => {
  expect(() => parseDemoOptions(args)).toThrow(words);
});
