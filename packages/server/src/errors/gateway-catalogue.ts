/** What a visitor of a deployment, or a program that calls one, can be told; on the wire in capitals: `DEPLOYMENT_NOT_FOUND`. */
export const gatewayCatalogue = {
  deployment_not_found: {
    status: 404,
    title: 'There is no deployment at this address',
    mend: 'Check the address, or ask whoever gave you the link.',
  },
  sign_in_required: {
    status: 401,
    title: 'This deployment is protected',
    mend: 'Open the sign-in address in a browser, then try again.',
  },
  visit_refused: {
    status: 403,
    title: 'This deployment cannot be visited',
    mend: 'Ask the team that runs this deployment.',
  },
  request_ambiguous: {
    status: 400,
    title: 'The request can be read in more than one way',
    mend: 'Send it in the form named here.',
  },
  request_not_forwarded: {
    status: 405,
    title: 'This kind of request is not forwarded',
    mend: 'Use another method or protocol.',
  },
  cookies_ambiguous: {
    status: 400,
    title: 'Your browser sent two sign-in cookies of one name',
    mend: 'Load the page again. If it stays, delete the cookies of this site.',
  },
  cookies_too_large: {
    status: 431,
    title: 'Your browser sent more cookies than can be read',
    mend: 'Load the page again. If it stays, delete the cookies of this site.',
  },
  hand_off_unknown: {
    status: 400,
    title: 'This sign-in link is not one of ours',
    mend: 'Open the page that you wanted and sign in from there.',
  },
  hand_off_spent: {
    status: 400,
    title: 'This sign-in link has been used or has expired',
    mend: 'Open the page that you wanted; it leads to a new sign-in where one is needed.',
  },
  hand_off_refused: {
    status: 403,
    title: 'The sign-in did not come back to where it began',
    mend: 'Open the page again in the browser that you want to use, with cookies allowed, and sign in from there.',
  },
  visitor_too_large: {
    status: 403,
    title: 'Your identity provider says more about you than cookies can hold',
    mend: 'Ask the team to forward fewer claims.',
  },
  upgrade_refused: {
    status: 403,
    title: 'This connection may not be opened from another site',
    mend: 'Open it from a page of this deployment.',
  },
  decision_credential_refused: {
    status: 401,
    title: 'This is no front proxy that may ask',
    mend: 'Send the credential from TESSERA_DECISION_PROXIES, once.',
  },
  decision_host_refused: {
    status: 401,
    title: 'This front proxy may not ask about this host',
    mend: 'Add the host to this proxy in TESSERA_DECISION_PROXIES.',
  },
  decision_path_refused: {
    status: 403,
    title: 'This path is for the gateway itself',
    mend: 'The front proxy sends it on to the gateway, without asking here.',
  },
  decision_query_refused: {
    status: 400,
    title: 'A secret in the address cannot be taken out by a front proxy',
    mend: 'Send it as the header of the same name.',
  },
  upstream_not_allowed: {
    status: 502,
    title: 'This deployment points to an address that may not be reached',
    mend: 'The operator can allow it in TESSERA_UPSTREAM_ALLOW.',
  },
  upstream_busy: {
    status: 503,
    title: 'The deployment has more requests than it can take',
    mend: 'Try again in a moment.',
  },
  upstream_unreachable: {
    status: 502,
    title: 'The deployment does not answer',
    mend: 'Try again in a moment. If it stays, the deployment is down.',
  },
  upstream_failed: {
    status: 502,
    title: 'The deployment gave an answer that is not HTTP',
    mend: 'Try again in a moment. If it stays, the deployment is broken.',
  },
  request_stalled: {
    status: 408,
    title: 'The request did not arrive',
    mend: 'Send the whole body without long pauses.',
  },
  upstream_timeout: {
    status: 504,
    title: 'The deployment took too long to answer',
    mend: 'Try again in a moment.',
  },
} as const;
