// "Sign in with Tessera" in the browser alone: a public client, so PKCE stands where a secret would.
import * as oauth from 'oauth4webapi';
import { clientId, issuer } from './settings.js';

const scope = 'openid profile email offline_access';
const redirectUri = new URL('/callback', location.href).href;
const client = { client_id: clientId };
// Only on a developer's own machine does an issuer speak plain http.
const options = { [oauth.allowInsecureRequests]: issuer.startsWith('http:') };

/** In memory only: a script that gets into the page finds nothing stored, and a reload begins anew. */
let session;

async function discover() {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
}

async function beginSignIn(server) {
  const pending = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    codeVerifier: oauth.generateRandomCodeVerifier(),
  };
  sessionStorage.setItem('pending', JSON.stringify(pending));
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.codeVerifier),
    code_challenge_method: 'S256',
  }).toString();
  location.assign(url);
}

async function finishSignIn(server) {
  const answer = new URL(location.href);
  // The code must not stay in the history.
  history.replaceState(null, '', '/');
  const pending = JSON.parse(sessionStorage.getItem('pending') ?? 'null');
  sessionStorage.removeItem('pending');
  if (!pending) throw new Error('No sign-in was begun in this tab.');
  const parameters = oauth.validateAuthResponse(server, client, answer, pending.state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectUri,
    pending.codeVerifier,
    options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  });
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  return { tokens, person: await fetchPerson(server, tokens.access_token, sub) };
}

async function fetchPerson(server, accessToken, sub) {
  const response = await oauth.userInfoRequest(server, client, accessToken, options);
  return oauth.processUserInfoResponse(server, client, sub, response);
}

/** What the app does when its access token has expired. The refresh token changes with every use. */
async function renew(server) {
  const { tokens, person } = session;
  const response = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    tokens.refresh_token,
    options,
  );
  const renewed = await oauth.processRefreshTokenResponse(server, client, response);
  session = { tokens: { ...tokens, ...renewed }, person };
}

/** Ends the session at Tessera too; the browser comes back to the app. */
function signOut(server) {
  const url = new URL(server.end_session_endpoint);
  url.search = new URLSearchParams({
    client_id: clientId,
    id_token_hint: session.tokens.id_token,
    post_logout_redirect_uri: new URL('/', location.href).href,
  }).toString();
  session = undefined;
  location.assign(url);
}

function show() {
  document.querySelector('#signed-out').hidden = session !== undefined;
  document.querySelector('#signed-in').hidden = session === undefined;
  if (!session) return;
  const { name = '', email = '', sub } = session.person;
  const token = `…${session.tokens.access_token.slice(-6)}`;
  for (const [id, text] of Object.entries({ name, email, sub, 'access-token': token })) {
    document.querySelector(`#${id}`).textContent = text;
  }
}

/** Does one thing and shows what came of it. */
async function run(step) {
  const problem = document.querySelector('#problem');
  problem.hidden = true;
  try {
    await step();
  } catch (error) {
    console.error(error);
    problem.textContent = error.error_description ?? error.message;
    problem.hidden = false;
  }
  show();
}

await run(async () => {
  const server = await discover();
  document.querySelector('#sign-in').onclick = () => run(() => beginSignIn(server));
  document.querySelector('#renew').onclick = () => run(() => renew(server));
  document.querySelector('#sign-out').onclick = () => run(() => signOut(server));
  if (location.pathname === '/callback') session = await finishSignIn(server);
});
