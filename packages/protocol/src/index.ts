// The RFCs' words: types, constants and pure functions. It does no I/O and depends on jose alone.
export { formatDecisionProbe, isDecisionProbe } from './decision-probe.ts';
export {
  createIpRangeTest,
  enclosingIpRange,
  formatIpRange,
  ipRangeProblem,
  isInIpRange,
  parseIpRange,
  type IpRange,
} from './ip-ranges.ts';
export {
  createId,
  createReference,
  isId,
  isReference,
  passwordConnectorId,
  platformConnectorId,
  type IdPrefix,
} from './ids.ts';
export { randomBase62 } from './base62.ts';
export {
  createBypassSecret,
  createOpaqueToken,
  formatOpaqueToken,
  hasValidChecksum,
  isBypassSecret,
} from './opaque-tokens.ts';
export { isValidWirePrefix, wireNames, type WireNames } from './wire-names.ts';
export { findDuplicateMember } from './json-members.ts';
export { isValidName, nameProblem, reservedWords } from './names.ts';
export {
  escapeSubjectPart,
  formatPassportSubject,
  formatWorkloadSubject,
  parsePassportSubject,
  parseWorkloadSubject,
  unescapeSubjectPart,
  type PassportSubject,
  type WorkloadSubject,
} from './subjects.ts';
export {
  DpopProofRefused,
  dpopSigningAlgorithms,
  verifyDpopProof,
  type DpopProof,
  type ExpectedDpopProof,
} from './dpop.ts';
export { codeChallengeS256, isCodeChallenge, isCodeVerifier, verifyS256 } from './pkce.ts';
export { formatScope, identityScopes, isWithin, parseScope, type IdentityScope } from './scopes.ts';
export {
  diagnoseRedirectUri,
  type RedirectUriDifference,
  type RedirectUriNearMiss,
} from './redirect-uri-diagnosis.ts';
export { matchesRedirectUri, redirectUriProblem, type RedirectUriProblem } from './redirect-uris.ts';
export {
  accessTokenTokenType,
  appAuthMethods,
  clientAssertionAlgorithms,
  clientAssertionType,
  deviceCodeGrantType,
  codeChallengeMethods,
  grantTypes,
  idTokenSigningAlgorithms,
  idTokenTokenType,
  isGrantType,
  isPrompt,
  isResponseMode,
  jwtTokenType,
  prompts,
  responseModes,
  responseTypes,
  tokenEndpointAuthMethods,
  tokenExchangeGrantType,
  webMessageResponseMode,
  type GrantType,
  type IdTokenSigningAlgorithm,
  type Prompt,
  type ResponseMode,
  type TokenEndpointAuthMethod,
  type AppAuthMethod,
  type ClientAssertionAlgorithm,
} from './oauth-parameters.ts';
