// Consents: what a person allowed an app. Owns the table `consents`. Not the page that asks (account), not the
// decision whether to ask (oauth), not the tokens that follow (tokens).
export { createAuthorizedApps } from './authorized-apps.ts';
export { createAuthorizedAppRest } from './authorized-app-rest.ts';
export { consentMigrations } from './consent-migrations.ts';
export { createConsents } from './consent-store.ts';
export type { Consent, Consents } from './consent-store.ts';
