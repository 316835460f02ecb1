type Entry = { readonly status: number; readonly title: string; readonly mend: string };

/**
 * Every error that is not an OAuth error. The code is stable: scripts and the documentation rely on it.
 * One section a room, so that each keeps its own words.
 */
export const errorCatalogue = {
  // http
  bad_request: {
    status: 400,
    title: 'The request cannot be read',
    mend: 'Correct the part named here and send the request again.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    mend: 'Check the address, and that you may see what it names.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This method is not available here',
    mend: 'Use one of the methods in the Allow header.',
  },
  payload_too_large: { status: 413, title: 'The request body is too large', mend: 'Send a smaller body.' },
  uri_too_long: {
    status: 414,
    title: 'The address is too long',
    mend: 'Shorten the address; parameters may go into the body of a POST.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has a type that is not read here',
    mend: 'Send the Content-Type named here.',
  },
  cross_origin: {
    status: 403,
    title: 'This form was sent from another site',
    mend: 'Open the page here and send the form from it.',
  },
  unavailable: {
    status: 503,
    title: 'The service cannot answer right now',
    mend: 'Try again in a few seconds.',
  },
  unexpected: {
    status: 500,
    title: 'The service failed while answering',
    mend: 'Try again; if it stays, give the reference to whoever runs this service.',
  },
  // workloads
  oidc_tokens_disabled: {
    status: 403,
    title: 'Tokens for workloads are switched off for this project',
    mend: 'Switch them on with PATCH /v9/projects/{idOrName} and {"oidcTokenConfig":{"enabled":true}}.',
  },
  invalid_target: {
    status: 400,
    title: 'A token for this audience may not be made',
    mend: 'Ask for an audience on the list of the project, or leave it out.',
  },
  unknown_environment: {
    status: 400,
    title: 'The project has no such environment',
    mend: 'Use one of the environments of the project.',
  },
  deployment_mismatch: {
    status: 400,
    title: 'The deployment is not one of this project and environment',
    mend: 'Give the project and environment that the deployment was created with.',
  },
  workload_token_not_allowed: {
    status: 403,
    title: 'You may not make this token',
    mend: 'Ask for a development token, or use an API token that may build for this project and environment.',
  },

  // credentials
  too_many_tries: { status: 429, title: 'Too many failed tries', mend: 'Wait a while, then try again.' },
  password_queue_full: { status: 503, title: 'Too many people are logging in right now', mend: 'Try again in a few seconds.' },

  // account
  form_expired: { status: 403, title: 'This form is out of date', mend: 'Go back, load the page again and send the form once more.' },
  setup_link_unknown: { status: 404, title: 'This link is not one of ours', mend: 'Check that you copied all of it, or ask for a new one.' },
  setup_link_used: { status: 410, title: 'This link has been used', mend: 'Log in with the account that was made with it, or ask for a new link.' },
  setup_link_expired: { status: 410, title: 'This link has expired', mend: 'Ask for a new one. For the first account of an instance, start the server again: it prints one.' },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof errorCatalogue;
