import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from './free-port.ts';
import type { TestDatabase } from './test-databases.ts';

/** The base URLs of all roles, each without a trailing slash. */
export type BaseUrls = { origin: string; api: string; oidc: string; passport: string; connect: string };

export type TesseraEnvironment = {
  /** What the process is told by its environment. */
  variables: Record<string, string>;
  urls: BaseUrls;
  port: number;
  /** A folder of its own, to be deleted by whoever asked for it. */
  folder: string;
};

/** Everything that an instance on loopback has to be told. `more` adds to it, or replaces some. */
export async function createTesseraEnvironment(
  database: TestDatabase,
  more: Readonly<Record<string, string>> = {},
): Promise<TesseraEnvironment> {
  const [port, operations] = [await findFreePort(), await findFreePort()];
  const folder = mkdtempSync(join(tmpdir(), 'tessera-data-'));
  const origin = `http://localhost:${port}`;
  return {
    port,
    folder,
    urls: {
      origin,
      api: `${origin}/api`,
      oidc: `${origin}/oidc`,
      passport: `${origin}/passport`,
      connect: `${origin}/connect`,
    },
    variables: {
      TESSERA_PUBLIC_URL: origin,
      TESSERA_LISTEN: `127.0.0.1:${port}`,
      TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${operations}`,
      TESSERA_DATA: folder,
      TESSERA_DATABASE_URL: database.url,
      TESSERA_MASTER_KEY: randomBytes(32).toString('base64url'),
      TESSERA_ALLOW_PRIVATE_HOSTS: 'localhost,127.0.0.1',
      ...more,
    },
  };
}
