// The configuration: read once from the environment, checked as a whole, handed on as typed values. Owns the
// names that begin with TESSERA_ and their rules; reads no variable itself, main.ts hands them in.
export { parseConfig } from './config.ts';
export type { Config, ConfigProblem, ConfigResult } from './config.ts';
export { describeConfig } from './describe-config.ts';
export type { FrontProxy } from './values.ts';
export { findCertificateProblems, findCertificateWarnings } from './certificate-files.ts';
export { readMasterKey } from './master-key.ts';
