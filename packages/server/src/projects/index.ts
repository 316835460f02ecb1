// Projects: names, environments, how deployments are protected and what workload tokens are like. Owns the tables `projects`,
// `projectNames` and `projectEnvironments` (every name there ever was), and `passportUsage` (which project had Passport
// on in which month). Not deployments, and not what a setting does.
export type { Project } from './project.ts';
export { projectMigrations } from './project-migrations.ts';
export { createProjectRest, type ProjectRestNeeds } from './project-rest.ts';
export { projectConnectorUse, projectJoin } from './project-store.ts';
export type { ProtectionSettings } from './protection-settings.ts';
export { createProjects, type ProjectChange, type Projects, type ProjectsNeeds } from './projects.ts';
