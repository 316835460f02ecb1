import { isInIpRange, parseIpRange } from '@tessera/protocol';
import type { ParsedRequest } from './admission.ts';
import { gatherBypassFacts, noBypass, presentsBypass, type BypassFacts } from './bypass-facts.ts';
import { findEntrance, isBelow, type OptionsFact, type ProtectionFacts, type SecretFact } from '#protection';
import type { VisitorSession } from '#visitors';
import type { GatewayNeeds, Site } from './needs.ts';
import { findSession, noSession } from './passport/session.ts';
import type { PassportTokens } from './passport/tokens.ts';

export type FactNeeds = Pick<GatewayNeeds, 'visitors' | 'bypasses' | 'trustedSources'> & {
  tokens: PassportTokens;
};

export type GatheredFacts = {
  readonly facts: ProtectionFacts;
  readonly session: VisitorSession | undefined;
  readonly bypasses: BypassFacts;
};

/** Who asks, and for what. */
export type Asking = {
  readonly clientAddress: string;
  readonly wantsSession: boolean;
  /** Somebody wants to know what would happen: no limit counts. */
  readonly isExplanation?: boolean;
};

/**
 * Everything that a decision about a request rests on, read and verified: what costs something, only where a setting
 * asks for it. For requests at the gateway, for the explanation of one that nobody sent, and for other proxies.
 *
 * @throws {DatabaseUnavailable} what cannot be looked up does not count
 */
export async function gatherFacts(
  needs: FactNeeds,
  parsed: ParsedRequest,
  site: Site,
  { clientAddress, wantsSession, isExplanation }: Asking,
): Promise<GatheredFacts> {
  const { passport, protection } = site.project;
  const { ssoProtection, passwordProtection } = protection;
  const mayGuess = () =>
    isExplanation === true || !needs.bypasses.guesses.isBlocked(site.project.id, clientAddress);
  const asksForSession =
    passport !== undefined || ssoProtection !== undefined || passwordProtection !== undefined || wantsSession;
  const finding = asksForSession ? findSession(needs, parsed.cookies, parsed.host, site) : noSession;
  // Most requests bring neither, and are spared the waiting for both.
  const [{ fact, session }, bypasses, trustedSource] =
    presentsBypass(parsed) || parsed.trustedTokens.length > 0
      ? await Promise.all([
          finding,
          gatherBypassFacts(needs, parsed, site, mayGuess),
          gatherTrustedSource(needs, parsed, site),
        ])
      : ([await finding, noBypass, { state: 'absent' }] as const);
  return {
    session,
    bypasses,
    facts: {
      ...siteFactsOf(parsed, site, clientAddress),
      trustedSource,
      automationBypass: bypasses.automationBypass,
      shareLink: bypasses.shareLink,
      session: fact,
    },
  };
}

/** What the site's settings say of a request from this address, whatever it presents. */
export function siteFactsOf(
  parsed: ParsedRequest,
  site: Site,
  clientAddress: string,
): Omit<ProtectionFacts, 'trustedSource' | 'automationBypass' | 'shareLink' | 'session'> {
  const { passport, protection } = site.project;
  const { ssoProtection, passwordProtection, trustedIps, protectionExceptions = [] } = protection;
  return {
    deployment: {
      host: site.host,
      environment: site.deployment.environment,
      hostKind: site.hostKind,
    },
    exceptions: protectionExceptions,
    optionsAllowlist: optionsFactOf(parsed, protection.optionsAllowlist?.paths),
    trustedIps: trustedIps && {
      deploymentType: trustedIps.deploymentType,
      protectionMode: trustedIps.protectionMode,
      isTrusted: trustedIps.addresses.some(({ value }) => isOneOf(value, clientAddress)),
    },
    passport: passport && { ...passport, isEntitled: site.team.passportEnabled },
    ssoProtection,
    password: passwordProtection,
  };
}

/** Where nothing is protected, a token of a workload opens nothing, and is not looked at. */
async function gatherTrustedSource(
  { trustedSources }: Pick<GatewayNeeds, 'trustedSources'>,
  { trustedTokens, host }: ParsedRequest,
  site: Site,
): Promise<SecretFact> {
  if (trustedTokens.length === 0) return { state: 'absent' };
  const isProtected = findEntranceOf(site) !== undefined || site.project.protection.trustedIps !== undefined;
  if (!isProtected) return { state: 'absent' };
  return trustedSources.judge(trustedTokens, site, host.origin);
}

/** How a visitor gets in at this host; undefined where nobody has to sign in. */
export function findEntranceOf({ host, hostKind, deployment, project }: Site) {
  return findEntrance({
    deployment: { host, environment: deployment.environment, hostKind },
    passport: project.passport,
    ssoProtection: project.protection.ssoProtection,
    password: project.protection.passwordProtection,
  });
}

function isOneOf(range: string, address: string): boolean {
  const parsed = parseIpRange(range);
  return parsed !== undefined && isInIpRange(parsed, address);
}

function optionsFactOf(
  { method, target }: ParsedRequest,
  paths: readonly { value: string }[] | undefined,
): OptionsFact {
  if (paths === undefined) return { state: 'off' };
  if (method !== 'OPTIONS') return { state: 'other', because: 'The method is not OPTIONS.' };
  const listed = paths.find(({ value }) => isBelow(target.path, value));
  return listed === undefined
    ? { state: 'other', because: 'The path is below none of those that are open to OPTIONS.' }
    : { state: 'listed', prefix: listed.value };
}
