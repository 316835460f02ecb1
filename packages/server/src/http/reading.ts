import { findDuplicateMember } from '@tessera/protocol';
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { ZodType } from 'zod';
import { oauthError, publicError } from '#errors';
import type { DirectCall } from './direct.ts';
import type { DoorContext } from './door.ts';
import { parseWithSchema } from './schema-faults.ts';

export const bodyLimitBytes = 64 * 1024;
const parameterLimit = 100;
const depthLimit = 20;
/** Whoever sends a byte now and then must not keep a connection for ever. */
const bodyTimeoutMilliseconds = 15_000;

/**
 * A form body (`application/x-www-form-urlencoded`). A parameter sent twice is refused, one without a value counts
 * as absent (RFC 6749 section 3.1). The values of a `repeatable` one are joined by spaces. Throws OAuthError
 * `invalid_request`.
 */
export async function readForm(
  context: DoorContext | DirectCall,
  repeatable: readonly string[] = [],
): Promise<ReadonlyMap<string, string>> {
  const type = mediaType(context);
  if (type !== 'application/x-www-form-urlencoded') {
    throw oauthError(
      'invalid_request',
      `The body has the type '${type || 'none'}'. Expected 'application/x-www-form-urlencoded'`,
      { status: type === '' ? 400 : 415 },
    );
  }
  return readParameters(await readText(context), repeatable);
}

/** The query of the address, under the same rules as a form. Throws OAuthError `invalid_request`. */
export function readQuery(
  context: DoorContext,
  repeatable: readonly string[] = [],
): ReadonlyMap<string, string> {
  const { url } = context.req;
  const question = url.indexOf('?');
  return question === -1 ? new Map() : readParameters(url.slice(question + 1), repeatable);
}

function readParameters(text: string, repeatable: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > parameterLimit)
      throw oauthError('invalid_request', `More than ${parameterLimit} parameters`);
    if (!isStorable(name) || !isStorable(value)) {
      throw oauthError('invalid_request', 'A parameter contains a NUL character or is not Unicode text');
    }
    const before = parameters.get(name);
    if (before !== undefined && !repeatable.includes(name))
      throw oauthError('invalid_request', `Parameter '${name}' is sent more than once`);
    parameters.set(name, before === undefined ? value : `${before} ${value}`);
  }
  for (const [name, value] of parameters) if (value === '') parameters.delete(name);
  return parameters;
}

/**
 * A JSON body of the schema's shape. Throws PublicError `bad_request` with every fault listed: where, what was
 * received and what was expected.
 */
export async function readJson<Value>(context: DoorContext, schema: ZodType<Value>): Promise<Value> {
  const type = mediaType(context);
  if (type !== 'application/json') {
    throw publicError('unsupported_media_type', {
      description: `The body has the type '${type || 'none'}'. Expected 'application/json'.`,
    });
  }
  const text = await readText(context);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw publicError('bad_request', { description: 'The body is not JSON.' });
  }
  const duplicate = findDuplicateMember(text);
  if (duplicate !== undefined) {
    throw publicError('bad_request', {
      description: `The body has the member '${duplicate.slice(0, 100)}' twice in one object.`,
    });
  }
  if (isDeeper(json, depthLimit)) {
    throw publicError('bad_request', { description: `The body nests deeper than ${depthLimit} levels.` });
  }
  if (!isStorable(json)) {
    throw publicError('bad_request', {
      description: 'A text in the body contains a NUL character or half of a surrogate pair.',
    });
  }
  return parseWithSchema(schema, json, 'The body');
}

/**
 * A file as the body, of one of these media types. What it really is, its reader has to look at. Throws PublicError
 * `unsupported_media_type`, `payload_too_large` or `bad_request`.
 */
export async function readUpload(
  context: DoorContext,
  { types, maximumBytes }: { types: readonly string[]; maximumBytes: number },
): Promise<{ type: string; bytes: Uint8Array }> {
  const type = mediaType(context);
  if (!types.includes(type)) {
    throw publicError('unsupported_media_type', {
      description: `The body has the type '${type || 'none'}'. Expected ${types.map((one) => `'${one}'`).join(' or ')}.`,
    });
  }
  const bytes = await readBody(context, maximumBytes);
  if (bytes.length === 0) throw publicError('bad_request', { description: 'The body is empty.' });
  return { type, bytes };
}

/** The body as text, at most 64 KiB, whatever `Content-Length` says. */
async function readText(context: DoorContext | DirectCall): Promise<string> {
  const body = await readBody(context, bodyLimitBytes);
  if (!isUtf8(body)) throw publicError('bad_request', { description: 'The body is not UTF-8.' });
  return body.toString();
}

async function readBody(context: DoorContext | DirectCall, limit: number): Promise<Buffer> {
  if (Number(headerOf(context, 'content-length') ?? 0) > limit) throw tooLarge(limit);
  if ('incoming' in context) return readBytes(context.incoming, limit);
  const { incoming } = context.env;
  return incoming === undefined ? Buffer.from(await context.req.arrayBuffer()) : readBytes(incoming, limit);
}

function headerOf(context: DoorContext | DirectCall, name: string): string | undefined {
  return 'incoming' in context ? context.header(name) : context.req.header(name);
}

/**
 * The whole body, from Node's own stream: a web stream around it costs more than all the rest of reading a form. Throws
 * PublicError `payload_too_large`, `body_too_slow` or `bad_request`.
 */
export function readBytes(incoming: Readable, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      stop();
      reject(
        publicError('body_too_slow', {
          description: `The body did not arrive within ${bodyTimeoutMilliseconds / 1000} seconds.`,
          headers: { connection: 'close' },
        }),
      );
    }, bodyTimeoutMilliseconds);
    timer.unref();
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      stop();
      reject(tooLarge(limit));
    };
    // The rest waits for the answer, and for whoever reads it away then.
    const stop = () => {
      clearTimeout(timer);
      incoming.off('data', take).pause();
    };
    incoming.on('data', take);
    incoming.once('end', () => {
      clearTimeout(timer);
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    const cutShort = (cause?: Error) => {
      clearTimeout(timer);
      // After the end this comes for every request, and an error with its stack is dear.
      if (incoming.readableEnded) return;
      reject(publicError('bad_request', { description: 'The body is cut short.', cause }));
    };
    incoming.once('error', cutShort);
    incoming.once('close', cutShort);
  });
}

function tooLarge(limit: number) {
  return publicError('payload_too_large', {
    description: `The body is larger than ${limit} bytes.`,
    headers: { connection: 'close' },
  });
}

function mediaType(context: DoorContext | DirectCall): string {
  return (headerOf(context, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

/**
 * Whether every text in a value can be stored and read again as it was: PostgreSQL knows no NUL, and half of a
 * surrogate pair becomes another character on its way.
 */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, member]) => isStorable(name) && isStorable(member));
}
