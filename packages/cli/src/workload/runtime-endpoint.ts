import { open } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:http';
import { isAbsolute } from 'node:path';
import { CommandError, show } from '../errors.ts';
import type { ReceivedToken } from './token-format.ts';

export type RuntimeQuestion = {
  /** `unix:/path` or `http://127.0.0.1:PORT`. */
  endpoint: string;
  secretFile: string | undefined;
  secret: string | undefined;
  audience: string | undefined;
};

const timeoutMs = 15_000;
const longestAnswer = 65_536;

/** Asks the endpoint beside a running deployment, which is known by its workload secret. */
export async function askRuntime({
  endpoint,
  secretFile,
  secret,
  audience,
}: RuntimeQuestion): Promise<ReceivedToken> {
  const { connection, ownHost } = parsePlace(endpoint);
  const known = checkSecret(secretFile ? await readSecretFile(secretFile) : secret);
  const query = audience === undefined ? '' : `?audience=${encodeURIComponent(audience)}`;
  const { status, answer } = await ask(
    { ...connection, path: `/token${query}`, headers: { host: ownHost, authorization: `Bearer ${known}` } },
    endpoint,
  );
  const { token, expiresAt, code, detail, mend } = answer;
  if (status === 200 && typeof token === 'string' && typeof expiresAt === 'number') {
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return { token, expiresAt };
  }
  if (typeof code === 'string' && typeof detail === 'string') {
    const mended = typeof mend === 'string' ? mend : 'See the guide on workload tokens.';
    throw new CommandError(code, plain(detail), plain(mended));
  }
  throw new CommandError(
    'endpoint_answer',
    `${show(endpoint)} answered ${status} without a token.`,
    'Check that it is what TESSERA_WORKLOAD_LISTEN of the instance says.',
  );
}

/** On this machine alone: the secret travels readable. */
function parsePlace(endpoint: string): { connection: RequestOptions; ownHost: string } {
  if (endpoint.startsWith('unix:')) {
    const socketPath = endpoint.slice('unix:'.length);
    // By a socket there is no host to name.
    if (isAbsolute(socketPath) && !socketPath.includes('\0'))
      return { connection: { socketPath }, ownHost: 'localhost' };
  }
  const url = URL.parse(endpoint);
  const isHere = url !== null && /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.test(url.hostname);
  if (isHere && url.protocol === 'http:' && /^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    const connection = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || 80 };
    return { connection, ownHost: url.host };
  }
  throw new CommandError(
    'endpoint_invalid',
    `The endpoint is ${show(endpoint)}; expected unix:/absolute/path, or http://127.0.0.1:PORT on this machine.`,
    'Take what TESSERA_WORKLOAD_LISTEN of the instance says.',
  );
}

/** Orchestrators mount secrets behind links and for a group; not for everybody. */
async function readSecretFile(path: string): Promise<string> {
  const refuse = (problem: string, cause?: unknown): CommandError =>
    new CommandError(
      'secret_file',
      `The secret file ${show(path)} ${problem}.`,
      'Name a file that its owner and group alone can read: chmod 600 (in Kubernetes: defaultMode 0400).',
      { cause },
    );
  const file = await open(path, 'r').catch((error: unknown) => {
    throw refuse('cannot be read', error);
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw refuse('is no file');
    if (process.getuid !== undefined && (found.mode & 0o007) !== 0) throw refuse('is open to everybody');
    return (await file.readFile('utf8')).trim();
  } finally {
    await file.close();
  }
}

function checkSecret(secret: string | undefined): string {
  if (secret !== undefined && /^[\x21-\x7e]{1,256}$/.test(secret)) return secret;
  throw new CommandError(
    'secret_missing',
    `The workload secret is ${secret ? 'no secret: there are spaces or line breaks in it' : 'not set'}; expected what POST /v1/deployments answered once.`,
    'Set TESSERA_WORKLOAD_SECRET_FILE, or TESSERA_WORKLOAD_SECRET.',
  );
}

function ask(
  options: RequestOptions,
  endpoint: string,
): Promise<{ status: number; answer: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        new CommandError(
          'not_reached',
          `${show(endpoint)} could not be reached.`,
          'Check TESSERA_WORKLOAD_LISTEN of the instance, and that the socket’s group may use it.',
          { cause },
        ),
      );
    const asking = request(
      { ...options, agent: false, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > longestAnswer) asking.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('error', fail);
        response.once('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            answer: parseAnswer(Buffer.concat(chunks).toString()),
          });
        });
      },
    );
    asking.once('error', fail);
    asking.end();
  });
}

function parseAnswer(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** One line for a terminal, without what would steer it. */
function plain(text: string): string {
  return text.slice(0, 500).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');
}
