/** Which deployments of a project are protected, as on the wire. */
export type DeploymentType =
  | 'all'
  | 'all_except_custom_domains'
  | 'prod_deployment_urls_and_all_previews'
  | 'preview';

/** What the decision rests on, and nothing else: the same facts give the same verdict on every node. */
export type ProtectionFacts = {
  readonly deployment: {
    readonly environment: string;
    /** The kind of the host that was asked for. */
    readonly hostKind: 'generated' | 'alias' | 'custom';
  };
  /** The project's Passport setting; undefined when Passport is off. */
  readonly passport: { readonly connectorId: string; readonly deploymentType: DeploymentType } | undefined;
  /** What the cookies of the request amount to. */
  readonly session: SessionFact;
};

export type SessionFact =
  | { readonly state: 'none' }
  | { readonly state: 'valid'; readonly sessionId: string }
  /** Sent, but not one that counts here: `because` is for people, never a secret. */
  | { readonly state: 'refused'; readonly because: string }
  /** Two were sent and one may be a sibling host's. A new sign-in would not mend that: it would only add a third. */
  | { readonly state: 'ambiguous'; readonly because: string };

export type RuleName = 'scope' | 'passport';

/** What one rule said: `continue` leaves it to the next. */
export type RuleAnswer =
  | { readonly says: 'continue'; readonly because: string }
  | { readonly says: 'pass'; readonly because: string; readonly sessionId?: string }
  | { readonly says: 'sign-in'; readonly because: string; readonly connectorId: string }
  | { readonly says: 'refuse'; readonly because: string };

export type Verdict = {
  /** `sessionId` is there when a visitor's session let the request pass. */
  readonly outcome:
    | { readonly is: 'pass'; readonly sessionId: string | undefined }
    | { readonly is: 'sign-in'; readonly connectorId: string }
    | { readonly is: 'refuse' };
  /** The rules that were asked, in their order, and what each said. The last one decided. */
  readonly rules: readonly { readonly rule: RuleName; readonly answer: RuleAnswer }[];
};

type Rule = { readonly name: RuleName; ask(facts: ProtectionFacts): RuleAnswer };

/**
 * The documented order. Exceptions and bypasses have their places before `scope` decides about a visitor: deployment
 * exception, OPTIONS allowlist, trusted source, automation bypass, share link, trusted IPs.
 */
const rules: readonly Rule[] = [
  { name: 'scope', ask: askScope },
  { name: 'passport', ask: askPassport },
];

/**
 * May this request pass? Pure: what it rests on is read and verified before. The first rule that does not continue
 * decides; when none does, the request is refused.
 */
export function decide(facts: ProtectionFacts): Verdict {
  const asked: { rule: RuleName; answer: RuleAnswer }[] = [];
  for (const rule of rules) {
    const answer = rule.ask(facts);
    asked.push({ rule: rule.name, answer });
    switch (answer.says) {
      case 'continue':
        continue;
      case 'pass':
        return { outcome: { is: 'pass', sessionId: answer.sessionId }, rules: asked };
      case 'sign-in':
        return { outcome: { is: 'sign-in', connectorId: answer.connectorId }, rules: asked };
      case 'refuse':
        return { outcome: { is: 'refuse' }, rules: asked };
    }
  }
  return { outcome: { is: 'refuse' }, rules: asked };
}

/** Whether the setting covers this host. A custom domain on a preview is a preview: only production's are exempt. */
function askScope({ passport, deployment }: ProtectionFacts): RuleAnswer {
  if (passport === undefined) return { says: 'pass', because: 'The project is not protected.' };
  const production = deployment.environment === 'production';
  switch (passport.deploymentType) {
    case 'all':
      return { says: 'continue', because: 'All deployments of the project are protected.' };
    case 'all_except_custom_domains':
    case 'prod_deployment_urls_and_all_previews':
      if (production && deployment.hostKind === 'custom') {
        return { says: 'pass', because: 'Custom domains of production are not protected.' };
      }
      return { says: 'continue', because: 'All but custom domains of production is protected.' };
    case 'preview':
      if (production) return { says: 'pass', because: 'Only deployments before production are protected.' };
      return { says: 'continue', because: 'Deployments before production are protected.' };
    default:
      // A setting that a newer version wrote: unknown is protected.
      return { says: 'refuse', because: 'The protection setting is not known to this version.' };
  }
}

function askPassport({ passport, session }: ProtectionFacts): RuleAnswer {
  if (passport === undefined) return { says: 'refuse', because: 'There is no connector to sign in with.' };
  switch (session.state) {
    case 'valid':
      return {
        says: 'pass',
        because: 'The visitor has a session on this host.',
        sessionId: session.sessionId,
      };
    case 'none':
      return { says: 'sign-in', because: 'The visitor has no session.', connectorId: passport.connectorId };
    case 'refused':
      return { says: 'sign-in', because: session.because, connectorId: passport.connectorId };
    case 'ambiguous':
      return { says: 'refuse', because: session.because };
  }
}
