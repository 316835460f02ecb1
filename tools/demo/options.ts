import { join } from 'node:path';
import { parseArgs } from 'node:util';

export type DemoOptions = {
  /** Print one JSON object instead of the guide. */
  json: boolean;
  /** Where Tessera listens; the programs around it take the ports after it. */
  port: number;
  /** The folder that every start empties. */
  data: string;
  /** `sqlite:PATH` or `postgres://…`; a file in the data folder when absent. */
  database: string;
};

const root = join(import.meta.dirname, '..', '..');

export const demoUsage = `npm run demo -- [--json] [--port N] [--data DIR] [--database URL]

  --json          print one line of JSON when everything answers
  --port N        where Tessera listens (4000); the programs around it take the next free ports
  --data DIR      the demo's own folder (.tessera-demo); every start empties it
  --database URL  sqlite:PATH or postgres://…; it must be empty, or be of an earlier demo`;

/** Throws an error with the words for the person when an argument cannot be understood. */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      port: { type: 'string', default: '4000' },
      data: { type: 'string', default: join(root, '.tessera-demo') },
      database: { type: 'string' },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`--port ${values.port}: expected a number from 1 to 65535`);
  }
  const database = values.database ?? `sqlite:${join(values.data, 'tessera.db')}`;
  if (!/^(sqlite:.|postgres(ql)?:\/\/.)/.test(database)) {
    throw new Error(`--database ${database}: expected sqlite:PATH or postgres://…`);
  }
  return { json: values.json, port, data: values.data, database };
}
