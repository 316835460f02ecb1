import { pino, type Logger as Pino } from 'pino';

export type LogFields = Record<string, unknown>;

/** One event a line: a short stable name first, facts as fields. */
export type Logger = {
  /** Whether lines of `debug` go anywhere, for who would have to put their facts together first. */
  readonly isDebug: boolean;
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
};

// A last net: rooms do not log secrets, and a field of one of these names is hidden should one slip in.
const neverLogged = [
  'password',
  'secret',
  'clientSecret',
  'client_secret',
  'code',
  'token',
  'accessToken',
  'refreshToken',
  'authorization',
  'cookie',
  'set-cookie',
];

/** Logs JSON lines to standard error, so that standard output stays free for what a command prints. */
export function createLogger(level: string, stream: NodeJS.WritableStream = process.stderr): Logger {
  const paths = neverLogged.flatMap((name) => [`["${name}"]`, `*["${name}"]`]);
  return wrap(
    pino(
      {
        level,
        base: null,
        redact: { paths, censor: '[redacted]' },
        timestamp: pino.stdTimeFunctions.isoTime,
      },
      stream,
    ),
  );
}

/** For tests of rooms whose logs do not matter. */
export function createSilentLogger(): Logger {
  return wrap(pino({ level: 'silent' }));
}

function wrap(target: Pino): Logger {
  return {
    isDebug: target.isLevelEnabled('debug'),
    debug: (event, fields) => target.debug(fields ?? {}, event),
    info: (event, fields) => target.info(fields ?? {}, event),
    warn: (event, fields) => target.warn(fields ?? {}, event),
    error: (event, fields) => target.error(fields ?? {}, event),
    child: (fields) => wrap(target.child(fields)),
  };
}
