import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';
import { listen, type Running } from '../listen.ts';
import { escapeHtml, renderPage, sendPage } from '../page.ts';

/** The one person who can sign in. Read anew at each question, as a directory is. */
export type Person = {
  username: string;
  password: string;
  sub: string;
  email: string;
  name: string;
  groups: string[];
  disabled?: boolean;
};

export type IdentityProviderSettings = {
  port: number;
  /** The one client: Tessera's connector. */
  clientId: string;
  clientSecret: string;
  /** `{connect}/callback` of Tessera. */
  redirectUri: string;
  person: Person;
  /** Where this provider tells Tessera of its logouts. */
  backchannelLogoutUri?: string;
};

/**
 * An identity provider as a company has one: the certified npm package `oidc-provider`, with one client, one person
 * and a login page with username and password. Everything lives in memory.
 */
export async function startIdentityProvider(settings: IdentityProviderSettings): Promise<Running> {
  const server = createServer();
  const running = await listen(server, settings.port);
  const provider = await createProvider(running.url, settings);
  const forward = provider.callback();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const uid = /^\/sign-in\/([\w-]+)$/.exec(request.url ?? '')?.[1];
    if (uid === undefined) {
      void forward(request, response);
      return;
    }
    signIn(provider, settings.person, request, response).catch((error: unknown) => {
      sendPage(response, 400, 'Sign-in is over', `<p>${escapeHtml(String(error))}</p>`);
    });
  });
  return running;
}

async function createProvider(issuer: string, settings: IdentityProviderSettings): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const { person } = settings;
  return new Provider(issuer, {
    clients: [
      {
        client_id: settings.clientId,
        client_secret: settings.clientSecret,
        redirect_uris: [settings.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        ...(settings.backchannelLogoutUri === undefined
          ? {}
          : {
              backchannel_logout_uri: settings.backchannelLogoutUri,
              backchannel_logout_session_required: true,
            }),
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [createHash('sha256').update(settings.clientSecret).digest('hex')] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(context, form) {
          context.body = renderPage(
            'Example Corp sign-out',
            `${form}<button id="sign-out-submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>`,
          );
        },
      },
    },
    // It gives refresh tokens to whoever may use them, and takes them back with the account.
    issueRefreshToken: (_context, client) => Promise.resolve(client.grantTypeAllowed('refresh_token')),
    // Tessera may be on this very machine, where the library's own fetcher does not go.
    fetch: (url, options) => fetch(url, Object.assign({}, options, { dispatcher: undefined })),
    interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
    // A company does not ask its people whether its own applications may know them.
    async loadExistingGrant(context) {
      const { client, session, provider } = context.oidc;
      if (!client || !session?.accountId) return undefined;
      const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
    findAccount: (_context, sub) =>
      sub === person.sub && person.disabled !== true
        ? {
            accountId: sub,
            claims: () => ({
              sub,
              email: person.email,
              email_verified: true,
              name: person.name,
              groups: person.groups,
            }),
          }
        : undefined,
    ttl: {
      AccessToken: 3_600,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 3_600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  });
}

async function signIn(
  provider: Provider,
  person: IdentityProviderSettings['person'],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Throws when the cookie of this interaction is missing: another browser, or too late.
  const { prompt } = await provider.interactionDetails(request, response);
  if (prompt.name !== 'login') throw new Error(`this provider cannot ask for ${prompt.name}`);
  if (request.method !== 'POST') {
    showLogin(response, 200);
    return;
  }
  const form = await readForm(request);
  if (form.get('action') === 'cancel') {
    await provider.interactionFinished(request, response, {
      error: 'access_denied',
      error_description: 'The person cancelled the sign-in',
    });
    return;
  }
  const right =
    equal(form.get('username') ?? '', person.username) && equal(form.get('password') ?? '', person.password);
  if (!right) {
    showLogin(response, 401, 'Username or password is wrong.');
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: person.sub } });
}

function showLogin(response: ServerResponse, status: number, problem?: string): void {
  sendPage(
    response,
    status,
    'Example Corp sign-in',
    `<p>${problem ? `<strong id="problem">${escapeHtml(problem)}</strong>` : 'This is the external identity provider.'}</p>
<form id="sign-in" method="post">
  <label>Username <input name="username" autocomplete="username" required autofocus></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button id="sign-in-submit" name="action" value="sign-in">Sign in</button>
  <button id="sign-in-cancel" name="action" value="cancel" formnovalidate>Cancel</button>
</form>`,
  );
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > 10_000) throw new Error('the form is too large');
  }
  return new URLSearchParams(text);
}

function equal(received: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(received), digest(expected));
}
