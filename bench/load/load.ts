import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Measurement } from '../figure.ts';

/** The same request again and again, on so many connections, for so many seconds. */
export type Load = {
  url: string;
  method: 'GET' | 'POST';
  headers: Readonly<Record<string, string>>;
  body?: string;
  connections: number;
  seconds: number;
};

const main = new URL('main.ts', import.meta.url).pathname;

/** Measures from a third process. Rejects unless every answer is 200. */
export async function measure(load: Load): Promise<Measurement> {
  const { stdout } = await promisify(execFile)(process.execPath, [main, JSON.stringify(load)]);
  return JSON.parse(stdout) as Measurement;
}
