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
  // A setting that a newer version wrote may have no rules that this one can read.
  const rules = (policy as Partial<typeof policy>).anyOf ?? [];
  const matching = rules.findIndex((rule) => matches(rule, visitor));
  return matching === -1
    ? { allowed: false, because: 'No rule of the access policy matches this visitor.' }
    : {
        allowed: true,
        because: `Rule ${matching + 1} of the access policy matches, by the claim "${rules[matching]?.claim}".`,
      };
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
