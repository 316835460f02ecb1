// People with an account: who they are, by id and by address. Owns the table `users`.
// Not how they prove it (credentials), not where they are logged in (sessions), not what they may do (teams).
export { emailKey, emailProblem, personNameProblem, type User } from './user.ts';
export { userMigrations } from './user-migrations.ts';
export { isEnabled } from './user-store.ts';
export { createUsers, type NewUser, type Users } from './users.ts';
