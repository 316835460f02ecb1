/**
 * Who may enter among those who can sign in: `everyone`, or whoever matches at least one rule. A rule matches when
 * each of its conditions does.
 */
export type AccessPolicy =
  | { readonly allow: 'everyone' }
  | { readonly allow: 'matching'; readonly rules: readonly AccessRule[] };

export type AccessRule = {
  /** Domains of a verified e-mail address: `example.com`, never with `@` or a wildcard. */
  readonly emailDomains?: readonly string[] | undefined;
  /** Verified e-mail addresses, compared without regard to case. */
  readonly emails?: readonly string[] | undefined;
  /** Claim by name: one of these exact values. A claim that is a list matches when any of its items does. */
  readonly claims?: Readonly<Record<string, readonly string[]>> | undefined;
};

export type PolicyVerdict = { readonly allowed: boolean; readonly because: string };

/**
 * Whether a visitor with these claims may enter, and why. Closed: no policy at all means everyone who signs in, as
 * documented, but a policy without a rule, a rule without a condition or a form not known here lets nobody in.
 */
export function evaluateAccessPolicy(
  policy: AccessPolicy | undefined,
  claims: Readonly<Record<string, unknown>>,
): PolicyVerdict {
  if (policy === undefined || policy.allow === 'everyone') {
    return { allowed: true, because: 'Everyone who signs in may enter.' };
  }
  if (policy.allow !== 'matching') {
    return { allowed: false, because: 'The access policy is not known to this version.' };
  }
  const matching = policy.rules.findIndex((rule) => matches(rule, claims));
  return matching === -1
    ? { allowed: false, because: 'No rule of the access policy matches this visitor.' }
    : { allowed: true, because: `Rule ${matching + 1} of the access policy matches.` };
}

function matches(rule: AccessRule, claims: Readonly<Record<string, unknown>>): boolean {
  const email = verifiedEmail(claims);
  const conditions: boolean[] = [];
  if (rule.emailDomains !== undefined) {
    const domain = email?.slice(email.indexOf('@') + 1);
    conditions.push(rule.emailDomains.some((wanted) => wanted.toLowerCase() === domain));
  }
  if (rule.emails !== undefined) {
    conditions.push(rule.emails.some((wanted) => wanted.toLowerCase() === email));
  }
  for (const [name, values] of Object.entries(rule.claims ?? {})) {
    const given = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const items: unknown[] = Array.isArray(given) ? given : [given];
    conditions.push(items.some((item) => typeof item === 'string' && values.includes(item)));
  }
  return conditions.length > 0 && conditions.every(Boolean);
}

/** Only an address that the provider vouches for, and only one that has a single reading (`a@evil@corp` has two). */
function verifiedEmail(claims: Readonly<Record<string, unknown>>): string | undefined {
  const { email, email_verified: verified } = claims;
  if (verified !== true || typeof email !== 'string') return undefined;
  return /^[\x21-\x3f\x41-\x7e]+@[a-zA-Z0-9.-]+$/.test(email) ? email.toLowerCase() : undefined;
}
