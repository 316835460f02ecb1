// Teams and who is in them, with which role. Owns the tables `teams`, `teamSlugs` (every slug there ever was) and
// `members`. Not what a role may do (the permission table of the contract), nor who a person is (users).
export type { Membership, Team } from './team.ts';
export { teamMigrations } from './team-migrations.ts';
export { createTeamFeatureRest } from './team-feature-rest.ts';
export { createTeamRest, type TeamRestNeeds } from './team-rest.ts';
export { hasPassport, isMember, teamConnectorUse, teamJoin } from './team-store.ts';
export { createTeams, type NewTeam, type TeamChange, type Teams } from './teams.ts';
