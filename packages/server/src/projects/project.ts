import type { OidcTokenConfig, PassportSetting } from '@tessera/contract';
import type { ProtectionSettings } from './protection-settings.ts';

/** What is deployed: its name stands in subjects and audiences, so it is never given out a second time in its team. */
export type Project = {
  id: string;
  teamId: string;
  name: string;
  /** Always with production, preview and development; then the project's own, in the order they were added. */
  environments: readonly string[];
  /** Undefined: Passport is off. */
  passport: PassportSetting | undefined;
  protection: ProtectionSettings;
  oidcTokenConfig: OidcTokenConfig;
  createdAt: number;
  updatedAt: number;
};

/** These every project has, and none can lose. */
export const standardEnvironments = ['production', 'preview', 'development'] as const;

/** What a new project's workload tokens are like: names that people can read, and no audience but the team's own. */
export const defaultOidcTokenConfig: OidcTokenConfig = {
  enabled: true,
  issuerMode: 'team',
  subjectForm: 'names',
  audiences: [],
  mintPolicy: null,
};

/** A project's own environments out of a list that may name the standard ones: without those, each once. */
export function ownEnvironments(environments: readonly string[]): string[] {
  const standard: readonly string[] = standardEnvironments;
  return [...new Set(environments)].filter((name) => !standard.includes(name));
}
