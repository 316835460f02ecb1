// Apps: OAuth clients as teams register them, and their secrets (stored as hashes). Owns the tables `apps` and
// `appSecrets` and the rules of registration. Not how an app proves itself (clients), not its tokens (tokens), not
// what people allowed it (consents).
export { grantTypesOf, isPublicApp, isVerifiedApp } from './app.ts';
export type { App, AppSecret } from './app.ts';
export { appMigrations } from './app-migrations.ts';
export type { LiveSecret } from './app-store.ts';
export { createAppRest, type AppRestNeeds } from './app-rest.ts';
export { createApps } from './apps.ts';
export type { Apps, AppsNeeds } from './apps.ts';
