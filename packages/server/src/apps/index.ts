// Apps: OAuth clients as teams register them or as they register themselves, their secrets (stored as hashes) and
// logos. Owns the tables `apps`, `appSecrets`, `appRegistrations` and `appLogos` and the rules of registration. Not how an app proves itself (clients), not its tokens (tokens), not
// what people allowed it (consents).
export { grantTypesOf, isBuiltIn, isPublicApp, isVerifiedApp, unownedTeamId } from './app.ts';
export type { App, AppAbout, AppSecret } from './app.ts';
export { createAppRegistrations } from './app-registrations.ts';
export type { AppRegistrations, SelfRegistration } from './app-registrations.ts';
export { createAppLogoRest } from './app-logo-rest.ts';
export { createAppLogos } from './app-logos.ts';
export type { AppLogos } from './app-logos.ts';
export { appMigrations } from './app-migrations.ts';
export type { LiveSecret } from './app-store.ts';
export { createCommandLine } from './command-line.ts';
export { createAppRest, type AppRestNeeds } from './app-rest.ts';
export { createApps } from './apps.ts';
export type { Apps, AppsNeeds } from './apps.ts';
