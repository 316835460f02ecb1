import { protectionErrors } from './protection-errors.ts';
import { workloadErrors } from './workload-errors.ts';

import { gatewayCatalogue } from './gateway-catalogue.ts';

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
  body_too_slow: {
    status: 408,
    title: 'The request body did not arrive in time',
    mend: 'Send the whole body at once, or try again over a better connection.',
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
  // connectors
  connector_refused: {
    status: 400,
    title: 'The identity provider application cannot be saved like this',
    mend: 'Correct the part named here and save again.',
  },
  connector_changed: {
    status: 409,
    title: 'Somebody else changed this identity provider application meanwhile',
    mend: 'Read it again and repeat the change.',
  },
  connector_in_use: {
    status: 409,
    title: 'Projects or the team use this identity provider application',
    mend: 'Give them another one, or switch their Passport off, then delete it.',
  },
  too_many_connector_tests: {
    status: 429,
    title: 'Too many tests of identity providers',
    mend: 'Wait ten minutes, then try again.',
  },
  too_many_connector_keys: {
    status: 409,
    title: 'The identity provider application has four keys',
    mend: 'Delete one that does not sign first.',
  },
  connector_key_active: {
    status: 409,
    title: 'Assertions are signed with this key',
    mend: 'Activate another key first, then delete this one.',
  },
  // connect
  sign_in_unknown: {
    status: 400,
    title: 'This link does not belong to a sign-in',
    mend: 'Open the page that you wanted to see; it leads to the sign-in by itself.',
  },
  sign_in_used: {
    status: 400,
    title: 'This sign-in was used already',
    mend: 'Begin anew. If you were signed in before, you will see the page at once.',
  },
  sign_in_expired: { status: 400, title: 'This sign-in took too long', mend: 'Begin anew.' },
  sign_in_other_browser: {
    status: 403,
    title: 'This sign-in began in another browser',
    mend: 'Begin anew in this browser, with cookies allowed.',
  },
  sign_in_denied: {
    status: 403,
    title: 'You were not let in',
    mend: 'Ask the team that runs this deployment, and give them the reference.',
  },
  sign_in_failed: {
    status: 400,
    title: 'The sign-in failed',
    mend: 'Begin anew; if it stays, give the reference to the team that runs this deployment.',
  },
  sign_in_provider_down: {
    status: 502,
    title: 'The identity provider does not answer',
    mend: 'Try again in a while; if it stays, give the reference to the team that runs this deployment.',
  },
  // providers
  discovery_failed: {
    status: 400,
    title: 'The endpoints of this issuer cannot be discovered',
    mend: 'Check the issuer, or type the endpoints by hand.',
  },
  connector_test_over: {
    status: 409,
    title: 'This test was begun already, or its ten minutes are over',
    mend: 'Make a new one with POST /v1/connectors/{id}/test and {"live":true}.',
  },
  ...workloadErrors,

  // keys
  key_rotation_under_way: {
    status: 409,
    title: 'These keys are changing already',
    mend: 'Wait until the change is over; or, when a key is no longer safe, revoke it.',
  },
  key_needed: {
    status: 409,
    title: 'The key is still needed',
    mend: 'Wait until then; or, when it is no longer safe, revoke it.',
  },
  key_set_full: {
    status: 409,
    title: 'The key set has no room for more keys',
    mend: 'Leave the keys of this or another team out of the key set for all, or wait until retired ones are removed.',
  },

  // credentials
  too_many_tries: { status: 429, title: 'Too many failed tries', mend: 'Wait a while, then try again.' },
  password_queue_full: {
    status: 503,
    title: 'Too many people are logging in right now',
    mend: 'Try again in a few seconds.',
  },

  // account
  form_expired: {
    status: 403,
    title: 'This form is out of date',
    mend: 'Go back, load the page again and send the form once more.',
  },
  setup_link_unknown: {
    status: 404,
    title: 'This link is not one of ours',
    mend: 'Check that you copied all of it, or ask for a new one.',
  },
  setup_link_used: {
    status: 410,
    title: 'This link has been used',
    mend: 'Log in with the account that was made with it, or ask for a new link.',
  },
  setup_link_expired: {
    status: 410,
    title: 'This link has expired',
    mend: 'Ask for a new one. For the first account of an instance, start the server again: it prints one.',
  },

  // apps
  invalid_app: {
    status: 400,
    title: 'The app cannot be registered like this',
    mend: 'Correct the field named here.',
  },
  app_name_taken: {
    status: 409,
    title: 'Another app has this name',
    mend: 'Choose another name or slug.',
  },
  resource_taken: {
    status: 409,
    title: 'Another team has this resource server',
    mend: 'List resource servers of your own team, or have that team register the app.',
  },
  app_changed: {
    status: 409,
    title: 'The app was changed meanwhile',
    mend: 'Read it again and repeat your change.',
  },
  too_many_secrets: {
    status: 409,
    title: 'The app has two active secrets',
    mend: 'Delete one of them first.',
  },

  registration_quota: {
    status: 429,
    title: 'No more clients can register themselves here at present',
    mend: 'Ask whoever runs this service, or have a team register the app.',
  },
  logo_refused: {
    status: 400,
    title: 'The logo cannot be taken like this',
    mend: 'Send a PNG, JPEG or WebP image of at most 256 KiB as the body.',
  },

  // oauth
  client_unknown: {
    status: 400,
    title: 'No app is registered under this client_id',
    mend: 'If you came from an app, tell its developers; they find the right client_id on the page of their app.',
  },
  redirect_uri_not_registered: {
    status: 400,
    title: 'The redirect URI is not registered',
    mend: 'Register exactly this URL as a callback URL of the app, or send one that is registered.',
  },
  authorization_request_invalid: {
    status: 400,
    title: 'The app sent a request that cannot be answered',
    mend: 'Tell the developers of the app what is said here.',
  },
  client_document_refused: {
    status: 400,
    title: 'The app does not describe itself as it must',
    mend: 'Tell the developers of the app what is said here.',
  },
  sign_in_not_silent: {
    status: 400,
    title: 'This app may not sign you in without asking',
    mend: 'Go back to the app and sign in there yourself.',
  },
  authorization_request_gone: {
    status: 404,
    title: 'This sign-in is finished, expired or unknown',
    mend: 'Go back to the app and sign in again.',
  },
  authorization_request_elsewhere: {
    status: 403,
    title: 'This sign-in was begun in another browser',
    mend: 'Finish it in that browser, or go back to the app and sign in again here.',
  },
  consent_team_missing: {
    status: 400,
    title: 'No team was chosen',
    mend: 'Choose one of your teams. If you are in none, found one, or ask for an invitation.',
  },

  end_session_request_invalid: {
    status: 400,
    title: 'The app sent a logout that cannot be done',
    mend: 'You are still logged in. You can log out here; the developers of the app should be told what is said above.',
  },
  post_logout_redirect_uri_not_registered: {
    status: 400,
    title: 'The post-logout redirect URI is not registered',
    mend: 'You are still logged in. You can log out here; the developers of the app can register this URL, exactly, as a post-logout URL.',
  },
  device_request_gone: {
    status: 404,
    title: 'This request of a device is finished, expired or unknown',
    mend: 'Ask the device for a new code and enter that.',
  },
  device_request_elsewhere: {
    status: 403,
    title: 'This code was entered at another login',
    mend: 'Go on in the browser where it was entered. If that was not you, cancel it on the device and ask for a new code.',
  },
  device_access_denied: {
    status: 403,
    title: 'You may not sign in to this app',
    mend: 'Only members of the team that owns the app may. Ask that team, and give them the reference.',
  },
  end_session_request_gone: {
    status: 404,
    title: 'This logout is finished, expired or unknown',
    mend: 'Go back to the app and log out again, or log out on your account page.',
  },

  ...gatewayCatalogue,

  // rest
  unauthorized: {
    status: 401,
    title: 'A token is needed',
    mend: 'Send an API token in the header "Authorization: Bearer …". Tokens are made on the account page.',
  },
  forbidden: {
    status: 403,
    title: 'You may not do this',
    mend: 'Ask someone whose role allows it, or use a token that was given the permission.',
  },
  fresh_authentication_required: {
    status: 403,
    title: 'This needs a fresh login',
    mend: 'Log in again and make a new token on the account page, or do it there.',
  },
  team_required: {
    status: 400,
    title: 'The call does not say which team it is for',
    mend: 'Add ?teamId= with the id of the team, or ?slug= with its slug.',
  },

  // teams
  name_taken: {
    status: 409,
    title: 'This name is taken',
    mend: 'Choose another: a name that was ever in use is never given out again.',
  },
  already_member: { status: 409, title: 'This person is a member already', mend: 'Nothing is left to do.' },
  unknown_project: {
    status: 400,
    title: 'The team has no such project',
    mend: 'Name projects of this team, by id or name; GET /v9/projects lists them.',
  },
  last_owner: {
    status: 409,
    title: 'A team keeps at least one owner',
    mend: 'Make somebody else an owner first.',
  },
  unknown_connector: {
    status: 400,
    title: 'The team has no such identity provider application',
    mend: 'Create it with POST /v1/connectors, and send the id that is answered.',
  },
  changed_meanwhile: {
    status: 409,
    title: 'Somebody else changed this at the same time',
    mend: 'Read it again, and send the change once more.',
  },

  ...protectionErrors,

  // deployments
  upstream_refused: {
    status: 400,
    title: 'This upstream may not be used',
    mend: 'Use an address that the operator allows this team in TESSERA_UPSTREAM_ALLOW.',
  },
  host_refused: {
    status: 400,
    title: 'This host cannot be given to a deployment',
    mend: 'Use one label below the domain of deployments, or leave the hosts out: one is then made.',
  },
  host_taken: {
    status: 409,
    title: 'This host is taken',
    mend: 'Choose another: a host that was ever in use stays with its project and environment.',
  },
  domain_proof_required: {
    status: 400,
    title: 'The ownership of this domain is not proven',
    mend: 'Add it to the project with POST /v10/projects/{idOrName}/domains, set the TXT record that is answered, and verify it.',
  },
  domain_not_proven: {
    status: 400,
    title: 'The DNS does not prove that this domain is yours',
    mend: 'Set exactly this TXT record, then verify again; resolvers keep what they knew before for as long as its TTL.',
  },
  domain_lookup_failed: {
    status: 502,
    title: 'The DNS cannot be asked about this domain',
    mend: 'Try again in a while. If it stays, look at the name servers of the domain; the operator looks at TESSERA_DNS_SERVERS.',
  },
  domain_taken: {
    status: 409,
    title: 'The team has this domain already',
    mend: 'Take it from the project that has it first; then add and prove it anew.',
  },
  too_many_domains: {
    status: 409,
    title: 'The project has too many domains',
    mend: 'Take away those that nobody uses any more, or use another project.',
  },
  too_many_domain_proofs: {
    status: 429,
    title: 'The DNS was asked too often',
    mend: 'Wait ten minutes, then try again.',
  },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof errorCatalogue;
