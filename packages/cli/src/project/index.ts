export { createEnvPull } from './env-pull.ts';
export { createLink } from './link.ts';
export { createProjectToken } from './project-token.ts';
