import type { AccessPolicy } from '@tessera/contract';

type PolicyRule = Exclude<AccessPolicy, 'everyone'>['anyOf'][number];

/** What is known of a visitor. E-mail is apart from the claims because it counts only when the provider vouches for it. */
export type VisitorFacts = {
  readonly email?: string | undefined;
  readonly emailVerified?: boolean | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
};

export type PolicyVerdict = { readonly allowed: boolean; readonly because: string };

/**
 * Whether a visitor who signed in may enter, and why. Closed: a policy without rules, or in a form that this version
 * does not know, lets nobody in.
 */
export function evaluateAccessPolicy(policy: AccessPolicy, visitor: VisitorFacts): PolicyVerdict {
  if (policy === 'everyone') return { allowed: true, because: 'Everyone who signs in may enter.' };
  const rules = rulesOf(policy);
  const matching = rules.findIndex((rule) => matches(rule, visitor));
  return matching === -1
    ? { allowed: false, because: 'No rule of the access policy matches this visitor.' }
    : {
        allowed: true,
        because: `Rule ${matching + 1} of the access policy matches, by the claim "${rules[matching]?.claim}".`,
      };
}

/** What each rule says of a visitor, in the order of the policy: for people who ask why. */
export function explainAccessPolicy(
  policy: AccessPolicy,
  visitor: VisitorFacts,
): { claim: string; matches: boolean; because: string }[] {
  return rulesOf(policy).map((rule) => {
    const isMatch = matches(rule, visitor);
    return {
      claim: rule.claim,
      matches: isMatch,
      because: isMatch ? 'One of its values matches.' : mismatch(rule.claim, visitor),
    };
  });
}

/** A setting that a newer version wrote may have no rules that this one can read. */
function rulesOf(policy: AccessPolicy): readonly PolicyRule[] {
  return policy === 'everyone' ? [] : ((policy as Partial<typeof policy>).anyOf ?? []);
}

function mismatch(claim: string, visitor: VisitorFacts): string {
  if (claim !== 'email' && claim !== 'email_domain') {
    return Object.hasOwn(visitor.claims, claim)
      ? 'The visitor has the claim, with none of these values.'
      : 'The visitor has no such claim: is it in the forwarded claims of the connector?';
  }
  if (visitor.email === undefined) return 'The visitor has no e-mail address.';
  if (visitor.emailVerified !== true)
    return 'The identity provider does not say that the address is verified.';
  return verifiedEmail(visitor) === undefined
    ? 'The address has more than one reading.'
    : 'The address matches none of the values.';
}

function matches({ claim, values }: PolicyRule, visitor: VisitorFacts): boolean {
  const email = verifiedEmail(visitor);
  switch (claim) {
    case 'email':
      return email !== undefined && values.some((wanted) => wanted.toLowerCase() === email);
    case 'email_domain': {
      const domain = email?.slice(email.indexOf('@') + 1);
      return domain !== undefined && values.some((wanted) => wanted.toLowerCase() === domain);
    }
    default: {
      const given = Object.hasOwn(visitor.claims, claim) ? visitor.claims[claim] : undefined;
      const items: unknown[] = Array.isArray(given) ? given : [given];
      return items.some((item) => typeof item === 'string' && values.includes(item));
    }
  }
}

/** Only an address that the provider vouches for, and only one with a single reading (`a@evil@corp` has two). */
function verifiedEmail({ email, emailVerified }: VisitorFacts): string | undefined {
  if (emailVerified !== true || email === undefined) return undefined;
  return /^[\x21-\x3f\x41-\x7e]+@[a-zA-Z0-9.-]+$/.test(email) ? email.toLowerCase() : undefined;
}
