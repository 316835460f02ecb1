// The REST contract: schemas and routes as data, shared by the server, the dashboard and the command line.
// It validates and describes; it decides nothing and stores nothing.
export * from './api-tokens.ts';
export * from './app-activity.ts';
export * from './apps.ts';
export * from './audit-log.ts';
export * from './authorized-apps.ts';
export * from './client.ts';
export * from './connectors.ts';
export * from './deployments.ts';
export * from './names.ts';
export * from './openapi.ts';
export * from './pagination.ts';
export * from './passport.ts';
export * from './passport-sessions.ts';
export * from './permissions.ts';
export * from './problem.ts';
export * from './projects.ts';
export * from './protection.ts';
export * from './renames.ts';
export * from './route.ts';
export * from './routes.ts';
export * from './sign-in-attempts.ts';
export * from './signing-keys.ts';
export * from './teams.ts';
export * from './tokens.ts';
export * from './trusted-sources.ts';
export * from './users.ts';
