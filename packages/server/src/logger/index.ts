// Structured logs. Owns the form of a log line and what may never be in one; where lines go is the process's business.
export type { Logger } from './logger.ts';
export { createLogger, createSilentLogger } from './logger.ts';
