/** 1: refused, failed or called wrongly. 3: nobody is logged in. */
export type ExitStatus = 1 | 3;

/** What went wrong, in words that say what was received, what was expected and what mends it. Never a token. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string;
  readonly mend: string;
  readonly exitStatus: ExitStatus;

  constructor(
    code: string,
    detail: string,
    mend: string,
    { exitStatus = 1, cause }: { exitStatus?: ExitStatus; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.code = code;
    this.mend = mend;
    this.exitStatus = exitStatus;
  }
}

/** Text from outside in a message: short, and without what would steer a terminal. */
export function show(text: unknown): string {
  if (text === undefined) return 'none';
  return JSON.stringify((typeof text === 'string' ? text : JSON.stringify(text)).slice(0, 200)).replaceAll(
    /[\u007f-\u009f\u2028-\u202e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
