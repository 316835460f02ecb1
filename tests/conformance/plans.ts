/**
 * The certification plans of the OpenID Foundation whose modules are mirrored here, each module under its own name,
 * one test a module. A mirror: what a module asks for, asked by our own code.
 */
export type Plan = {
  title: string;
  /** Of this folder: the file with a test for each module. */
  file: string;
  /** How many modules the plan has. */
  count: number;
  modules: readonly string[];
  /** Modules that have no test because they ask for something we decided against: why. */
  notForUs: Readonly<Record<string, string>>;
  /** Modules that have no test yet: why. */
  notYet: Readonly<Record<string, string>>;
};

const basicModules = [
  'oidcc-server',
  'oidcc-response-type-missing',
  'oidcc-idtoken-signature',
  'oidcc-idtoken-unsigned',
  'oidcc-userinfo-get',
  'oidcc-userinfo-post-header',
  'oidcc-userinfo-post-body',
  'oidcc-ensure-request-without-nonce-succeeds-for-code-flow',
  'oidcc-scope-profile',
  'oidcc-scope-email',
  'oidcc-scope-address',
  'oidcc-scope-phone',
  'oidcc-scope-all',
  'oidcc-alternate-happy-flow',
  'oidcc-display-page',
  'oidcc-display-popup',
  'oidcc-prompt-login',
  'oidcc-prompt-none-not-logged-in',
  'oidcc-prompt-none-logged-in',
  'oidcc-max-age-1',
  'oidcc-max-age-10000',
  'oidcc-ensure-request-with-unknown-parameter-succeeds',
  'oidcc-id-token-hint',
  'oidcc-login-hint',
  'oidcc-ui-locales',
  'oidcc-claims-locales',
  'oidcc-ensure-request-with-acr-values-succeeds',
  'oidcc-codereuse',
  'oidcc-codereuse-30seconds',
  'oidcc-ensure-registered-redirect-uri',
  'oidcc-ensure-post-request-succeeds',
  'oidcc-server-client-secret-post',
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
  'oidcc-claims-essential',
  'oidcc-ensure-request-object-with-redirect-uri',
  'oidcc-refresh-token',
  'oidcc-ensure-request-with-valid-pkce-succeeds',
];

const rpInitiatedLogoutModules = [
  'oidcc-rp-initiated-logout-discovery-endpoint-verification',
  'oidcc-rp-initiated-logout',
  'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
  'oidcc-rp-initiated-logout-modified-id-token-hint',
  'oidcc-rp-initiated-logout-no-id-token-hint',
  'oidcc-rp-initiated-logout-no-params',
  'oidcc-rp-initiated-logout-no-post-logout-redirect-uri',
  'oidcc-rp-initiated-logout-no-state',
  'oidcc-rp-initiated-logout-only-state',
  'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri',
  'oidcc-rp-initiated-logout-bad-id-token-hint',
];

const backChannelLogoutModules = [
  'oidcc-backchannel-logout-discovery-endpoint-verification',
  'oidcc-backchannel-rp-initiated-logout',
];

const fapi2 = (name: string): string => `fapi2-security-profile-final-${name}`;

const dynamicModules = [
  'oidcc-idtoken-rs256',
  'oidcc-idtoken-unsigned',
  'oidcc-userinfo-rs256',
  'oidcc-ensure-redirect-uri-in-authorization-request',
  'oidcc-redirect-uri-query-OK',
  'oidcc-redirect-uri-query-mismatch',
  'oidcc-redirect-uri-query-added',
  'oidcc-redirect-uri-regfrag',
  'oidcc-discovery-endpoint-verification',
  'oidcc-server',
  'oidcc-registration-logo-uri',
  'oidcc-registration-policy-uri',
  'oidcc-registration-tos-uri',
  'oidcc-registration-jwks-uri',
  'oidcc-registration-sector-uri',
  'oidcc-registration-sector-bad',
  'oidcc-server-rotate-keys',
  'oidcc-refresh-token-rp-key-rotation',
  'oidcc-request-uri-unsigned',
  'oidcc-request-uri-signed-rs256',
  'oidcc-ensure-request-object-with-redirect-uri',
  'oidcc-refresh-token',
  'oidcc-ensure-client-assertion-with-iss-aud-succeeds',
];

const fapi2Modules = [
  'discovery-end-point-verification',
  'happy-flow',
  'user-rejects-authentication',
  'ensure-authorization-request-without-state-success',
  'ensure-authorization-request-without-nonce-success',
  'ensure-authorization-request-with-64-char-nonce-success',
  'ensure-other-scope-order-succeeds',
  'test-claims-parameter-identity-claims',
  'access-token-type-header-case-sensitivity',
  'par-without-duplicate-parameters',
  'par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted',
  'par-ensure-reused-request-uri-prior-to-auth-completion-succeeds',
  'plain-fapi-tolerate-unregistered-redirect-uri',
  'check-dpop-proof-nbf-exp',
  'ensure-dpopproof-with-iat-10seconds-before-succeeds',
  'ensure-dpopproof-with-iat-10seconds-after-succeeds',
  'ensure-mismatched-dpop-jkt-fails',
  'ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt',
  'ensure-token-endpoint-fails-with-mismatched-dpop-jkt',
  'ensure-dpopproof-at-par-endpoint-binding-success',
  'ensure-dpop-auth-code-binding-success',
  'dpop-negative-tests',
  'ensure-holder-of-key-required',
  'ensure-authorization-request-with-long-nonce',
  'ensure-authorization-request-with-long-state',
  'ensure-different-nonce-inside-and-outside-request-object',
  'ensure-different-state-inside-and-outside-request-object',
  'state-only-outside-request-object-not-used',
  'ensure-registered-redirect-uri',
  'ensure-redirect-uri-in-authorization-request',
  'ensure-request-object-without-redirect-uri-fails',
  'ensure-unsigned-authorization-request-without-using-par-fails',
  'ensure-response-type-code-idtoken-fails',
  'ensure-response-type-token-fails',
  'par-attempt-reuse-request_uri',
  'par-attempt-to-use-expired-request_uri',
  'par-attempt-to-use-request_uri-for-different-client',
  'par-authorization-request-containing-request_uri',
  'par-authorization-request-containing-request_uri-form-param',
  'par-attempt-invalid-http-method',
  'par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails',
  'par-test-array-as-audience-fails',
  'par-test-par-endpoint-url-as-audience-fails',
  'par-test-token-endpoint-url-as-audience-fails',
  'par-ensure-pkce-required',
  'ensure-pkce-code-verifier-required',
  'incorrect-pkce-code-verifier-rejected',
  'par-plain-pkce-rejected',
  'ensure-client-id-in-token-endpoint',
  'ensure-authorization-code-is-bound-to-client',
  'attempt-reuse-authorization-code-after-one-second',
  'ensure-token-endpoint-fails-with-expired-auth-code',
  'ensure-signed-client-assertion-with-RS256-fails',
  'ensure-client-assertion-in-token-endpoint',
  'ensure-client-assertion-with-exp-is-5-minutes-in-past-fails',
  'ensure-client-assertion-with-wrong-aud-fails',
  'ensure-client-assertion-with-no-sub-fails',
  'refresh-token',
  'ensure-server-handles-non-matching-intent-id',
  'test-essential-acr-sca-claim',
  'brazil-ensure-bad-payment-signature-fails',
  'australia-connectid-ensure-invalid-purpose-fails',
  'australia-connectid-test-claims-parameter-idtoken-identity-claims',
].map(fapi2);

export const plans = {
  config: {
    title: 'Config OP',
    file: 'config.test.ts',
    count: 1,
    modules: ['oidcc-discovery-endpoint-verification'],
    notForUs: {},
    notYet: {},
  },
  basic: {
    title: 'Basic OP',
    file: 'basic.test.ts',
    count: 38,
    modules: basicModules,
    notForUs: {},
    notYet: {},
  },
  formPostBasic: {
    title: 'Form Post Basic OP',
    file: 'form-post-basic.test.ts',
    count: 38,
    modules: basicModules,
    notForUs: {},
    notYet: {},
  },
  rpInitiatedLogout: {
    title: 'RP-initiated logout OP',
    file: 'rp-initiated-logout.test.ts',
    count: 11,
    modules: rpInitiatedLogoutModules,
    notForUs: {},
    notYet: {},
  },
  backChannelLogout: {
    title: 'Back-channel logout OP',
    file: 'backchannel-logout.test.ts',
    count: 2,
    modules: backChannelLogoutModules,
    notForUs: {},
    notYet: {},
  },
  dynamic: {
    title: 'Dynamic OP',
    file: 'dynamic.test.ts',
    count: 23,
    modules: dynamicModules,
    notForUs: {
      'oidcc-request-uri-unsigned':
        'the server never fetches a request_uri: it would fetch what a stranger names (security.md D5)',
      'oidcc-request-uri-signed-rs256':
        'the server never fetches a request_uri: it would fetch what a stranger names (security.md D5)',
    },
    notYet: {},
  },
  fapi2SecurityProfile: {
    title: 'FAPI 2.0 Security Profile OP (private_key_jwt, DPoP, OpenID Connect)',
    file: 'fapi2-security-profile.test.ts',
    // One more than the plan has: `par-authorization-request-containing-request_uri` is of the Message Signing plan.
    count: 63,
    modules: fapi2Modules,
    notForUs: {
      [fapi2('ensure-server-handles-non-matching-intent-id')]:
        'of the UK open banking profile: no intents here',
      [fapi2('test-essential-acr-sca-claim')]:
        'of the UK open banking profile: no strong customer authentication',
      [fapi2('brazil-ensure-bad-payment-signature-fails')]: 'of the Brazilian profile: no payments here',
      [fapi2('australia-connectid-ensure-invalid-purpose-fails')]:
        'of the ConnectID profile: no purposes here',
      [fapi2('australia-connectid-test-claims-parameter-idtoken-identity-claims')]:
        'of the ConnectID profile: its own identity claims',
    },
    notYet: {},
  },
} satisfies Record<string, Plan>;
