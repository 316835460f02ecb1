import { publicError } from '#errors';
import { isBelow } from '../paths.ts';

/** What passes for a program. The secret itself is nowhere: only its keyed hash, in the table. */
export type AutomationBypass = {
  id: string;
  projectId: string;
  note: string | undefined;
  /** The one that a build would be given. At most one of a project. */
  isEnvVar: boolean;
  /** Undefined: all environments of the project. */
  environments: readonly string[] | undefined;
  /** Undefined: every path. */
  pathPrefix: string | undefined;
  expiresAt: number | undefined;
  /** To the minute, or so: not every use is written down. */
  lastUsedAt: number | undefined;
  createdAt: number;
  createdBy: string;
  /** The number of its changes: one is refused when somebody else was faster. */
  revision: number;
};

/** What passes for whoever was sent the link, at one host. */
export type ShareLink = {
  id: string;
  host: string;
  projectId: string;
  expiresAt: number | undefined;
  createdAt: number;
  createdBy: string;
};

/** How far a bypass reaches. */
export type BypassScope = Pick<AutomationBypass, 'environments' | 'pathPrefix'>;

/** Why a live bypass does not count for a request, in words; undefined when it does. */
export function scopeProblem(
  { environments, pathPrefix }: BypassScope,
  request: { environment: string; path: string },
): string | undefined {
  if (environments !== undefined && !environments.includes(request.environment)) {
    return `The bypass secret is not for the environment "${request.environment}".`;
  }
  if (pathPrefix !== undefined && !isBelow(request.path, pathPrefix)) {
    return `The bypass secret is for paths below ${pathPrefix} alone.`;
  }
  return undefined;
}

export const mostOfProject = 100;

export function tooMany() {
  return publicError('too_many_bypasses', {
    description: `The project has ${mostOfProject} bypass secrets already.`,
  });
}
