// The end of a login session everywhere: the session itself, the tokens that came from it, and word of it to every app
// that somebody signed in to (OpenID Connect Back-Channel Logout 1.0). Owns the table `logoutDeliveries`. Not the
// browser's cookie nor who may log out (oauth, account), not when a delivery is tried (jobs).
export { createDeliveryPurge } from './delivery-purge-store.ts';
export { createLogoutRest } from './delivery-rest.ts';
export { logoutMigrations } from './delivery-migrations.ts';
export { createLogout } from './logout.ts';
export type { Logout, LogoutNeeds } from './logout.ts';
