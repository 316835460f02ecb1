import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Measurement } from '../figure.ts';

export type Variant = { headers?: Readonly<Record<string, string>>; body?: string };

/** A request again and again, on so many connections, for so many seconds. */
export type Load = {
  url: string;
  method: 'GET' | 'POST';
  headers: Readonly<Record<string, string>>;
  body?: string;
  /** Instead of `body`: each is sent once, and the load is over when all are answered. */
  bodies?: readonly string[];
  /** Instead of `body`: one for each connection, that is refreshed again and again, each time with what the last answer brought. */
  refreshTokens?: readonly string[];
  /** What differs from request to request: one of these each time, at random; or each once, until all are answered. */
  variants?: readonly Variant[];
  eachVariantOnce?: boolean;
  connections: number;
  seconds: number;
};

const main = new URL('main.ts', import.meta.url).pathname;

/** Measures from a third process. Rejects unless every answer is 200. */
export async function measure(load: Load): Promise<Measurement> {
  const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(load));
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error(`the load on ${load.url} failed`);
  return JSON.parse(output) as Measurement;
}
