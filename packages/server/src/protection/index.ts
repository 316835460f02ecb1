// May this request pass, and may this visitor enter? The one decision core, asked by the gateway and by whatever
// explains it. Its rules are pure: they read no cookie, no table and no clock; who asks brings the facts. Owns the
// tables `automationBypasses` and `shareLinks`: the ways past a protection.
export type { DeploymentType } from './coverage.ts';
export { decide, findEntrance, ruleNames } from './decision.ts';
export type { Outcome, RuleAnswer, RuleName, Verdict } from './decision.ts';
export type { OptionsFact, ProtectionFacts, SecretFact, SessionFact } from './facts.ts';
export { evaluateAccessPolicy } from './access-policy.ts';
export { createAccessPolicyRest } from './access-policy-rest.ts';
export type { PolicyVerdict, VisitorFacts } from './access-policy.ts';
export { isBelow } from './paths.ts';
export { scopeProblem } from './bypass/bypass.ts';
export type { BypassKind } from './bypass/bypass-cookie.ts';
export { createBypasses, type Bypasses } from './bypass/bypasses.ts';
export { bypassMigrations } from './bypass/bypass-migrations.ts';
export { createBypassRest } from './bypass/bypass-rest.ts';
export { listTrustingProjects } from './trusted-sources/source-rules.ts';
export { createTrustedSources } from './trusted-sources/trusted-sources.ts';
export type { TrustedSources } from './trusted-sources/trusted-sources.ts';
