// May this request pass, and may this visitor enter? The one decision core, asked by the gateway and by whatever
// explains it. Pure: it reads no cookie, no table and no clock; who asks brings the facts.
export { decide } from './decision.ts';
export type {
  DeploymentType,
  ProtectionFacts,
  RuleAnswer,
  RuleName,
  SessionFact,
  Verdict,
} from './decision.ts';
export { evaluateAccessPolicy } from './access-policy.ts';
export { createAccessPolicyRest } from './access-policy-rest.ts';
export type { PolicyVerdict, VisitorFacts } from './access-policy.ts';
