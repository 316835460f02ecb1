import type { core, ZodType } from 'zod';
import { publicError } from '#errors';

/**
 * What the schema makes of the value. Throws PublicError `bad_request` with every fault listed: where, what was
 * expected and what was received. `part` names the whole, as in "The body".
 */
export function parseWithSchema<Value>(schema: ZodType<Value>, value: unknown, part: string): Value {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return result.data;
  throw publicError('bad_request', {
    description: `${part} does not have the expected form. ${result.error.issues.map(atItsPlace).join('. ')}.`,
  });
}

function atItsPlace({ path, message }: Pick<core.$ZodIssue, 'path' | 'message'>): string {
  return path.length === 0 ? message : `'${path.join('.')}': ${message}`;
}

/** Asked only where a schema has no words of its own. Undefined leaves it to zod. */
function describeIssue(issue: core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return expected(typeNames[issue.expected] ?? `a value of the type ${issue.expected}`, issue.input);
    case 'invalid_value':
      return expected(oneOf(issue.values), issue.input, true);
    case 'too_small':
      return describeSize('at least', issue.minimum, issue);
    case 'too_big':
      return describeSize('at most', issue.maximum, issue);
    case 'unrecognized_keys':
      return `not known here: ${issue.keys.map((key) => JSON.stringify(key.slice(0, longestRepeated))).join(', ')}`;
    case 'invalid_union':
      return describeUnion(issue.errors);
    case 'invalid_key':
      return issue.issues.map(({ message }) => message).join(', ');
    case 'custom':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
      return undefined;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};
const longestRepeated = 60;

/** A text is repeated only in the place of a choice: elsewhere it may be a secret. */
function expected(what: string, received: unknown, repeats = false): string {
  if (received === undefined) return `missing, expected ${what}`;
  return `expected ${what}, received ${repeats && typeof received === 'string' ? quote(received) : kindOf(received)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > longestRepeated ? `${text.slice(0, longestRepeated)}…` : text);
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map((value) => (typeof value === 'string' ? JSON.stringify(value) : String(value)));
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** A size is of a number itself, of a text in characters, of a list in entries. */
function describeSize(words: string, limit: number | bigint, { input }: { input?: unknown }): string {
  const one = limit === 1;
  if (typeof input === 'string') {
    return `expected ${words} ${limit} ${one ? 'character' : 'characters'}, received ${input.length}`;
  }
  if (Array.isArray(input)) {
    return `expected ${words} ${limit} ${one ? 'entry' : 'entries'}, received ${input.length}`;
  }
  return `expected ${words} ${limit}, received ${kindOf(input)}`;
}

/** Of several forms the one that was meant: what is wrong inside of it, or else what the forms are. */
function describeUnion(forms: readonly (readonly core.$ZodIssue[])[]): string {
  const isOfForm = (issues: readonly core.$ZodIssue[]) =>
    !issues.some(
      ({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
    );
  const meant = forms.filter(isOfForm);
  const told = meant.length === 0 ? forms : meant;
  return [...new Set(told.map((issues) => issues.map(atItsPlace).join(', ')))].join('; or ');
}
