import { platformConnectorId } from '@tessera/protocol';
import type { ErrorCode } from '#errors';
import { coverageOf, type Coverage } from './coverage.ts';
import type { ProtectionFacts, SecretFact, SessionFact } from './facts.ts';

/** In the documented order. */
export const ruleNames = [
  'deployment-exception',
  'options-allowlist',
  'trusted-source',
  'automation-bypass',
  'share-link',
  'trusted-ips',
  'scope',
  'passport',
  'platform-accounts',
  'password',
] as const;
export type RuleName = (typeof ruleNames)[number];

/** What one rule said. `because` is for people, and never a secret. */
export type RuleAnswer = { readonly because: string } & (
  | { /** It leaves the request to the next. */ readonly says: 'continue' }
  | { readonly says: 'pass'; readonly sessionId?: string }
  | { readonly says: 'sign-in'; readonly connectorId: string }
  | { readonly says: 'password' }
  | { /** As if there were no deployment. */ readonly says: 'hide' }
  | { readonly says: 'refuse'; readonly code?: ErrorCode }
);

export type Outcome =
  | {
      readonly is: 'pass';
      readonly by: RuleName;
      /** There when a visitor's session let the request pass. */
      readonly sessionId: string | undefined;
      /** Somebody else might not have passed: the answer is for this one alone. */
      readonly personal: boolean;
    }
  | { readonly is: 'sign-in'; readonly connectorId: string }
  | { readonly is: 'password' }
  | { readonly is: 'hide' }
  | { readonly is: 'refuse'; readonly code: ErrorCode | undefined };

export type Verdict = {
  readonly outcome: Outcome;
  /** The rules that were asked, in their order, and what each said. The last one decided. */
  readonly rules: readonly { readonly rule: RuleName; readonly answer: RuleAnswer }[];
};

const rules: Readonly<Record<RuleName, (facts: ProtectionFacts) => RuleAnswer>> = {
  'deployment-exception': askException,
  'options-allowlist': askOptionsAllowlist,
  'trusted-source': askTrustedSource,
  'automation-bypass': ({ automationBypass }) => askSecret(automationBypass, 'No bypass secret was sent.'),
  'share-link': ({ shareLink }) => askSecret(shareLink, 'The request does not come by a share link.'),
  'trusted-ips': askTrustedIps,
  scope: askScope,
  passport: askPassport,
  'platform-accounts': (facts) => askSignIn(facts, platformOf(facts), platformAccountsName),
  password: askPassword,
};

/**
 * May this request pass? Pure: what it rests on is read and verified before. The first rule that does not continue
 * decides; when none does, the request is refused. Of several ways to sign in the first that covers the host decides.
 */
export function decide(facts: ProtectionFacts): Verdict {
  const asked: { rule: RuleName; answer: RuleAnswer }[] = [];
  for (const rule of ruleNames) {
    const answer = rules[rule](facts);
    asked.push({ rule, answer });
    switch (answer.says) {
      case 'continue':
        continue;
      case 'pass':
        return { outcome: passBy(rule, answer.sessionId, facts), rules: asked };
      case 'refuse':
        return { outcome: { is: 'refuse', code: answer.code }, rules: asked };
      case 'sign-in':
        return { outcome: { is: 'sign-in', connectorId: answer.connectorId }, rules: asked };
      case 'password':
      case 'hide':
        return { outcome: { is: answer.says }, rules: asked };
    }
  }
  return { outcome: { is: 'refuse', code: undefined }, rules: asked };
}

function passBy(by: RuleName, sessionId: string | undefined, facts: ProtectionFacts): Outcome {
  const isPublic =
    by === 'deployment-exception' ||
    by === 'options-allowlist' ||
    (by === 'scope' && coverageOfTrustedIps(facts).is === 'exempt');
  return { is: 'pass', by, sessionId, personal: !isPublic };
}

function askException({ exceptions, deployment }: ProtectionFacts): RuleAnswer {
  return exceptions.includes(deployment.host)
    ? { says: 'pass', because: 'This host is open to everyone.' }
    : { says: 'continue', because: 'This host is no exception.' };
}

function askOptionsAllowlist({ optionsAllowlist }: ProtectionFacts): RuleAnswer {
  switch (optionsAllowlist.state) {
    case 'off':
      return { says: 'continue', because: 'No path is open to OPTIONS.' };
    case 'other':
      return { says: 'continue', because: optionsAllowlist.because };
    case 'listed':
      return { says: 'pass', because: `OPTIONS below ${optionsAllowlist.prefix} passes.` };
  }
}

/**
 * What its issuer publishes could not be read, so that nobody knows who made the token: a deployment that hides does not
 * show itself by that.
 */
function askTrustedSource(facts: ProtectionFacts): RuleAnswer {
  const answer = askSecret(facts.trustedSource, 'No token of a trusted source was sent.');
  const isUnproven = answer.says === 'refuse' && answer.code === 'trusted_sources_oidc_discovery_failed';
  return isUnproven && askTrustedIps(facts).says === 'hide'
    ? { says: 'continue', because: answer.because }
    : answer;
}

/** A secret that does not count is as none: the request falls through to the other rules. */
function askSecret(fact: SecretFact, absent: string): RuleAnswer {
  switch (fact.state) {
    case 'absent':
      return { says: 'continue', because: absent };
    case 'refused':
      return { says: 'continue', because: fact.because };
    case 'accepted':
      return { says: 'pass', because: fact.because };
    case 'failed':
      return { says: 'refuse', because: fact.because, code: fact.code };
  }
}

function coverageOfTrustedIps({ trustedIps, deployment }: ProtectionFacts): Coverage {
  return coverageOf(trustedIps, deployment, 'Trusted IPs');
}

function askTrustedIps(facts: ProtectionFacts): RuleAnswer {
  const { trustedIps } = facts;
  const covered = coverageOfTrustedIps(facts);
  if (trustedIps === undefined || covered.is === 'exempt')
    return { says: 'continue', because: covered.because };
  if (covered.is === 'unknown') return { says: 'refuse', because: covered.because };
  if (!trustedIps.isTrusted) return { says: 'hide', because: 'The address is no trusted one.' };
  return trustedIps.protectionMode === 'exclusive'
    ? { says: 'pass', because: 'The address is a trusted one, which is all that is asked for.' }
    : { says: 'continue', because: 'The address is a trusted one.' };
}

/** Whether any way to sign in covers this host. */
function askScope(facts: ProtectionFacts): RuleAnswer {
  const { deployment, passport, ssoProtection, password } = facts;
  const ways = [
    coverageOf(passport, deployment, 'Passport'),
    coverageOf(ssoProtection, deployment, 'Signing in with a platform account'),
    coverageOf(password, deployment, 'The password'),
  ];
  const unknown = ways.find(({ is }) => is === 'unknown');
  if (unknown !== undefined) return { says: 'refuse', because: unknown.because };
  const covering = ways.find(({ is }) => is === 'covered');
  if (covering !== undefined) return { says: 'continue', because: covering.because };
  if ([passport, ssoProtection, password].every((setting) => setting === undefined)) {
    return { says: 'pass', because: 'The project asks nobody to sign in.' };
  }
  return { says: 'pass', because: ways.find(({ reason }) => reason === 'host')?.because ?? '' };
}

const platformAccountsName = 'Signing in with a platform account';

function platformOf({ ssoProtection }: Pick<ProtectionFacts, 'ssoProtection'>) {
  return ssoProtection && { ...ssoProtection, connectorId: platformConnectorId };
}

/**
 * How a visitor gets in at this host, by the same order in which the rules are asked: at a connector, or by the
 * password; undefined where nobody has to.
 */
export function findEntrance(
  facts: Pick<ProtectionFacts, 'deployment' | 'ssoProtection' | 'password'> & {
    readonly passport:
      | Pick<NonNullable<ProtectionFacts['passport']>, 'connectorId' | 'deploymentType'>
      | undefined;
  },
): { readonly by: 'connector'; readonly connectorId: string } | { readonly by: 'password' } | undefined {
  const covers = (setting: Parameters<typeof coverageOf>[0]) =>
    coverageOf(setting, facts.deployment, '').is === 'covered';
  const connector = [facts.passport, platformOf(facts)].find(covers);
  if (connector !== undefined) return { by: 'connector', connectorId: connector.connectorId };
  return covers(facts.password) ? { by: 'password' } : undefined;
}

/** A team that may not use Passport any more does not get open deployments by it: it gets closed ones. */
function askPassport(facts: ProtectionFacts): RuleAnswer {
  const answer = askSignIn(facts, facts.passport, 'Passport');
  if (answer.says !== 'sign-in' || facts.passport?.isEntitled === true) return answer;
  return {
    says: 'refuse',
    because: 'The team may not use Passport any more: an administrator of the instance can switch it on.',
  };
}

function askSignIn(
  { deployment, session }: ProtectionFacts,
  setting: ({ connectorId: string } & Parameters<typeof coverageOf>[0]) | undefined,
  name: string,
): RuleAnswer {
  const covered = coverageOf(setting, deployment, name);
  if (setting === undefined || covered.is !== 'covered')
    return { says: 'continue', because: covered.because };
  const { connectorId } = setting;
  const ask = (because: string): RuleAnswer => ({ says: 'sign-in', because, connectorId });
  // A session goes on when the way to one changes, but knowing a password was never being somebody.
  if (session.state === 'valid' && session.of === 'password') {
    return ask('The visitor gave a password, and now has to sign in.');
  }
  return askSession(session, ask);
}

function askPassword({ deployment, password, session }: ProtectionFacts): RuleAnswer {
  const covered = coverageOf(password, deployment, 'The password');
  if (covered.is !== 'covered') return { says: 'continue', because: covered.because };
  return askSession(session, (because) => ({ says: 'password', because }));
}

function askSession(session: SessionFact, ask: (because: string) => RuleAnswer): RuleAnswer {
  switch (session.state) {
    case 'valid':
      return {
        says: 'pass',
        because: 'The visitor has a session on this host.',
        sessionId: session.sessionId,
      };
    case 'none':
      return ask('The visitor has no session.');
    case 'refused':
      return ask(session.because);
    case 'ambiguous':
      return { says: 'refuse', because: session.because };
  }
}
