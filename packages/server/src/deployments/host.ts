import { randomInt } from 'node:crypto';
import type { DeploymentHost } from '@tessera/contract';

/** Where deployments live, and the hosts that are ours. */
export type HostSpace = {
  /** The deployment domain, or undefined where none is configured. */
  domain: string | undefined;
  /** Host names of the roles (origin, api, oidc, passport, connect), without ports. */
  roleHosts: readonly string[];
  development: boolean;
};

// No resolver of anybody knows these (RFC 6761, 6762, 7686, 9476): there is no proof of them.
const outsideOfDns = ['localhost', 'test', 'example', 'invalid', 'local', 'onion', 'alt'];

const randomLength = 9;
const labelLength = 63;
const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A new name for a deployment: `{project}-{9 random characters}-{team}`, a label of at most 63 characters. */
export function generateHost(domain: string, projectName: string, teamSlug: string): string {
  const random = Array.from({ length: randomLength }, () => alphabet[randomInt(alphabet.length)]).join('');
  const room = labelLength - randomLength - 2;
  const half = Math.floor(room / 2);
  const [project, team] = [labelPart(projectName), labelPart(teamSlug)];
  const teamPart = trimmed(team.slice(0, Math.max(half, room - project.length)));
  const projectPart = trimmed(project.slice(0, room - teamPart.length));
  return `${projectPart}-${random}-${teamPart}.${domain}`;
}

/** Names may hold dots and underscores, labels may not; and two hyphens in a row could make a label Punycode. */
function labelPart(name: string): string {
  return trimmed(name.replaceAll(/[._-]+/g, '-'));
}

function trimmed(part: string): string {
  return part.replaceAll(/^-+|-+$/g, '');
}

/** Why a deployment may not have a host, in words; undefined when it may. A custom host needs its proof besides. */
export function hostProblem({ host, kind }: DeploymentHost, space: HostSpace): string | undefined {
  const role = space.roleHosts.find((own) => isAround(host, own, space));
  if (role !== undefined) {
    return `"${host}" is "${role}", or a name above or below it, which is a host of this service.`;
  }
  const { domain } = space;
  if (domain === undefined) {
    return 'This instance has no domain for deployments; the operator sets TESSERA_DEPLOYMENT_DOMAIN.';
  }
  if (host === domain || domain.endsWith(`.${host}`)) {
    return `"${host}" is the domain of deployments, or a name above it.`;
  }
  const isBelow = host.endsWith(`.${domain}`);
  if (kind === 'custom') {
    return isBelow ? `"${host}" lies below the domain of deployments: its kind is "alias".` : undefined;
  }
  if (!isBelow) return `"${host}" is not below "${domain}": its kind is "custom".`;
  const label = host.slice(0, -domain.length - 1);
  // One label: certificates for *.domain cover no more, and a name below another team's host could set its cookies.
  if (label.includes('.')) return `"${host}" has more than one label below "${domain}".`;
  if (label.startsWith('xn--')) return `"${label}" is Punycode: it may look like another name.`;
  return undefined;
}

/** Why a project may not have a domain of its own, in words; undefined when it may try to prove it. */
export function domainProblem(name: string, space: HostSpace): string | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1);
  if (outsideOfDns.includes(last)) {
    return `"${name}" is in no DNS: names below "${last}" are set apart, and nobody can prove one.`;
  }
  return hostProblem({ host: name, kind: 'custom' }, space);
}

/**
 * Whether a custom host needs no proof: on a developer's machine, where nobody else's visitors arrive, and below what
 * leads to such a machine alone.
 */
export function isFreeInDevelopment(host: string, { development }: HostSpace): boolean {
  return development && /\.(?:localhost|test)$/.test(host);
}

/** Whether a host is a role's host, above it or below it: there it could read or set the role's cookies. */
function isAround(host: string, role: string, { domain }: HostSpace): boolean {
  if (host === role || role.endsWith(`.${host}`)) return true;
  if (!host.endsWith(`.${role}`)) return false;
  // On a developer's machine the role's host is `localhost` itself, for which browsers keep no cookies of names below.
  if (role === 'localhost') return false;
  // The operator has put the domain of deployments below the role's host, and was warned.
  const isOperatorsChoice =
    domain !== undefined && domain.endsWith(`.${role}`) && host.endsWith(`.${domain}`);
  return !isOperatorsChoice;
}
