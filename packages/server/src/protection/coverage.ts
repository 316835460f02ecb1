import type { DeploymentFacts } from './facts.ts';

/** Which deployments of a project a setting protects, as on the wire; `production` is for trusted IPs alone. */
export type DeploymentType =
  | 'all'
  | 'all_except_custom_domains'
  | 'prod_deployment_urls_and_all_previews'
  | 'preview'
  | 'production';

export type Coverage = {
  readonly is: 'covered' | 'exempt' | 'unknown';
  readonly because: string;
  /** Why it is exempt: nothing is set, or not for this host. */
  readonly reason?: 'off' | 'host';
};

/**
 * Whether a setting covers a host. A custom domain on a preview is a preview: only production's are exempt. A type that
 * this version does not know is of a newer one: unknown is never open.
 */
export function coverageOf(
  setting: { readonly deploymentType: DeploymentType } | undefined,
  { host, environment, hostKind }: DeploymentFacts,
  name: string,
): Coverage {
  if (setting === undefined) return { is: 'exempt', because: `${name} is off.`, reason: 'off' };
  const production = environment === 'production';
  const exempt = (because: string): Coverage => ({ is: 'exempt', because, reason: 'host' });
  switch (setting.deploymentType) {
    case 'all':
      return { is: 'covered', because: `${name} covers all deployments of the project.` };
    case 'all_except_custom_domains':
    case 'prod_deployment_urls_and_all_previews':
      return production && hostKind === 'custom'
        ? exempt(`${name} does not cover custom domains of production, and "${host}" is one.`)
        : { is: 'covered', because: `${name} covers all but custom domains of production.` };
    case 'preview':
      return production
        ? exempt(`${name} covers deployments before production alone.`)
        : { is: 'covered', because: `${name} covers deployments before production.` };
    case 'production':
      return production
        ? { is: 'covered', because: `${name} covers deployments of production.` }
        : exempt(`${name} covers deployments of production alone.`);
    default:
      return { is: 'unknown', because: `The setting of ${name} is not known to this version.` };
  }
}
