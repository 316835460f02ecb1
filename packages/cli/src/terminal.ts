import { ProblemError } from '@tessera/contract';
import { CommandError, show } from './errors.ts';

/** Where a command runs, and who reads what it says. */
export type Terminal = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  /** A person reads the answers: text. Otherwise a program does: JSON. */
  readonly hasReader: boolean;
  /** A person sits there and can be asked: neither a pipe nor a CI service. */
  readonly hasPerson: boolean;
  /** The answer: standard output. */
  print(text: string): void;
  /** What is said on the way: standard error. */
  tell(text: string): void;
};

export type FormatOption = { format?: 'json' | 'text'; json?: true };

/** Whether the answer is for a person: as it was asked for, or else by who reads it. */
export function isTextWanted(
  { hasReader }: Pick<Terminal, 'hasReader'>,
  { format, json }: FormatOption,
): boolean {
  if (json) return false;
  return format === undefined ? hasReader : format === 'text';
}

/** Prints an answer as text for a person, or as one line of JSON. */
export function printAnswer(terminal: Terminal, options: FormatOption, answer: object, text: string): void {
  terminal.print(isTextWanted(terminal, options) ? text : JSON.stringify(answer));
}

/** The prefix of the wire, which names folders and variables too: `vercel` unless `TESSERA_WIRE_PREFIX` says another. */
export function readWirePrefix({ environment }: Pick<Terminal, 'environment'>): string {
  const given = environment['TESSERA_WIRE_PREFIX'] ?? 'vercel';
  // It becomes part of paths.
  if (/^[a-z][a-z0-9-]{0,31}$/.test(given)) return given;
  throw new CommandError(
    'prefix_invalid',
    `TESSERA_WIRE_PREFIX is ${show(given)}; expected lower-case letters, digits and hyphens.`,
    'Give it the value that the server has.',
  );
}

/** What a failed command says: one line of JSON for a program, lines for a person. */
export function describeFailure(error: unknown): {
  code: string;
  detail: string;
  mend: string;
  status: number;
  reference?: string;
} {
  if (error instanceof CommandError) {
    return { code: error.code, detail: error.message, mend: error.mend, status: error.exitStatus };
  }
  if (error instanceof ProblemError) {
    const { code, detail, mend, reference } = error.problem;
    return { code, detail, mend, reference, status: 1 };
  }
  return {
    code: 'failed',
    detail: error instanceof Error ? error.message : 'The command failed.',
    mend: 'Try again; if it stays so, check the address of the instance and the network.',
    status: 1,
  };
}
