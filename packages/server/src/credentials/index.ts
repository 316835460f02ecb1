// How a person proves who they are: passwords (policy, comparison, limits of failed tries) and the links by which an
// account is first made. Owns the table `passwordCredentials`.
// Not the argon2 work itself (passwords), not the session that follows (sessions), not the pages (account).
export { createCredentials, type Credentials, type PasswordLogin } from './credentials.ts';
export { credentialMigrations } from './credential-migrations.ts';
export {
  createSetupLinks,
  type SetupLink,
  type SetupLinks,
  type SetupPurpose,
  type TeamInvitation,
} from './setup-links.ts';
