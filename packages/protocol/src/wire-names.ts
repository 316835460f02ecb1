/** Every name on the wire that is built from the configurable prefix (`vercel` by default). */
export type WireNames = ReturnType<typeof wireNames>;

/** Whether a string can be a wire prefix: it becomes part of header, cookie and environment names. */
export function isValidWirePrefix(prefix: string): boolean {
  return /^[a-z][a-z0-9-]{0,30}$/.test(prefix) && !prefix.endsWith('-');
}

/**
 * The documented names, all changed together by the prefix: real clients (`@vercel/oidc`, `@vercel/passport`)
 * know the ones of `vercel`.
 */
export function wireNames(prefix: string) {
  const initial = prefix.slice(0, 1);
  const environment = prefix.toUpperCase().replaceAll('-', '_');
  return {
    prefix,
    passportCookie: `_${prefix}_passport`,
    passportTokenHeader: `x-${prefix}-oidc-passport-token`,
    oidcTokenHeader: `x-${prefix}-oidc-token`,
    trustedTokenHeader: `x-${prefix}-trusted-oidc-idp-token`,
    bypassHeader: `x-${prefix}-protection-bypass`,
    setBypassCookieName: `x-${prefix}-set-bypass-cookie`,
    shareParameter: `_${prefix}_share`,
    errorHeader: `x-${prefix}-error`,
    requestIdHeader: `x-${prefix}-id`,
    /** What a front proxy is told: `pass`, `sign-in` or `refuse`. */
    decisionHeader: `x-${prefix}-decision`,
    decisionCredentialHeader: `x-${prefix}-decision-credential`,
    /** For a front proxy that answers by itself: where to, with which status, and cookies `-1`, `-2`, …. */
    decisionLocationHeader: `x-${prefix}-decision-location`,
    decisionStatusHeader: `x-${prefix}-decision-status`,
    decisionCookieHeader: `x-${prefix}-decision-cookie`,
    decisionProbeHeader: `x-${prefix}-decision-probe`,
    accessTokenPrefix: `${initial}ca_`,
    refreshTokenPrefix: `${initial}cr_`,
    clientSecretPrefix: `${initial}cs_`,
    apiTokenPrefix: `${initial}ct_`,
    registrationTokenPrefix: `${initial}cg_`,
    workloadSecretPrefix: `${initial}cw_`,
    finishPath: `/.well-known/${prefix}/passport/finish`,
    passwordPath: `/.well-known/${prefix}/passport/password`,
    signOutPath: `/.well-known/${prefix}/passport/sign-out`,
    oidcTokenEnvironment: `${environment}_OIDC_TOKEN`,
    oidcTokenFileEnvironment: `${environment}_OIDC_TOKEN_FILE`,
    automationBypassSecretEnvironment: `${environment}_AUTOMATION_BYPASS_SECRET`,
  } as const;
}
