/** What is said about the tokens of workloads. */
export const workloadErrors = {
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
  trust_policy_refused: {
    status: 400,
    title: 'A trust policy like this is not saved',
    mend: 'Correct the part named here; a policy says exactly whose workload it trusts, and in what.',
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
  mint_policy_refused: {
    status: 403,
    title: 'The mint policy of the project refuses this token',
    mend: 'POST the same to …/token/explain to see every rule; whoever may write federation settings changes them.',
  },
  workload_secret_refused: {
    status: 401,
    title: 'This is no workload secret of a running deployment',
    mend: 'Send the secret that POST /v1/deployments answered, in the header "Authorization: Bearer …". A deleted deployment has none.',
  },
  not_beside_us: {
    status: 403,
    title: 'Only programs on this machine may ask here',
    mend: 'Ask directly by the address of the listener, without a browser and without a proxy.',
  },
  sts_not_configured: {
    status: 404,
    title: 'This instance asks no token service for credentials',
    mend: 'The operator sets TESSERA_STS_URL, such as https://sts.eu-central-1.amazonaws.com.',
  },
  sts_refused: {
    status: 403,
    title: 'The token service gave no credentials for the role',
    mend: "Compare the role's trust policy with the token: tessera-cli trust check aws.",
  },
  sts_unreachable: {
    status: 502,
    title: 'The token service gave no answer that can be used',
    mend: 'Ask again in a while; the operator looks at TESSERA_STS_URL.',
  },
  workload_token_not_allowed: {
    status: 403,
    title: 'You may not make this token',
    mend: 'Ask for a development token, or use an API token that may build for this project and environment.',
  },
} as const;
