// Trust at relying parties: prints a cloud's configuration for a workload, finds its known mistakes, and holds tokens
// against it. Verifies no signature, reaches no cloud, and owns no decision of the server.
export { createTrust, type TrustNeeds } from './commands.ts';
export { verifiers } from './verifiers.ts';
export { readTextFile } from './read-text-file.ts';
