export { createEnvPull } from './env-pull.ts';
export { createLink } from './link.ts';
export { createProjectToken } from './project-token.ts';
export { mintDevelopmentToken } from './mint.ts';
export { findProjectLink } from './project-link.ts';
export { readOwnFile, replaceOwnFile } from './own-file.ts';
