/** What is said about the settings of a protection and the ways past it. */
export const protectionErrors = {
  trusted_sources_environment_mismatch: {
    status: 403,
    title: 'This environment may not call that one',
    mend: 'Somebody who may write protection settings allows the pair of environments in the trusted sources of the project that is called.',
  },
  trusted_sources_oidc_discovery_failed: {
    status: 403,
    title: 'The issuer of the token cannot be verified',
    mend: 'Check that the issuer serves its discovery document and key set publicly, over https and without redirects.',
  },
  // projects
  confirmation_needed: {
    status: 400,
    title: 'This has to be confirmed',
    mend: 'Send what is to be opened once more in the field named here.',
  },

  // protection
  secret_taken: {
    status: 409,
    title: 'The project has this bypass secret already',
    mend: 'Leave the secret out: a new one is made.',
  },
  too_many_sign_ins: {
    status: 429,
    title: 'Too many sign-ins were begun from your network',
    mend: 'Wait ten minutes, then try again.',
  },
  too_many_bypasses: {
    status: 409,
    title: 'The project has too many bypass secrets',
    mend: 'Revoke those that nothing uses any more, then make the new one.',
  },
} as const;
