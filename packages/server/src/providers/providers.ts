import { codeChallengeS256 } from '@tessera/protocol';
import {
  authorizationCodeGrantRequest,
  getValidatedIdTokenClaims,
  processAuthorizationCodeResponse,
  processRefreshTokenResponse,
  processUserInfoResponse,
  refreshTokenGrantRequest,
  userInfoRequest,
  validateAuthResponse,
  type TokenEndpointResponse,
} from 'oauth4webapi';
import type { Principal } from '#attempts';
import type { Clock } from '#clock';
import {
  ProviderFailure,
  redirectUriOf,
  type Connector,
  type Connectors,
  type ProviderStep,
} from '#connectors';
import type { GuardedFetch } from '#fetch';
import type { RemoteKeys } from '#remote-keys';
import { readFailure } from './failure-reading.ts';
import { validateClaims, verifySignature } from './id-token.ts';
import { readPerson, readTokens } from './oauth2.ts';
import { verifyLogoutToken, type ProviderLogout } from './logout-token.ts';
import { toPrincipal } from './principal.ts';
import { createSpeech, type Speech } from './speech.ts';

/** What ties an answer to the one browser and the one attempt that asked: made anew each time, used once. */
export type SignInSecrets = { state: string; nonce: string; codeVerifier: string };

/** The provider's answer at the callback. */
export type ProviderAnswer = {
  parameters: URLSearchParams;
  secrets: SignInSecrets;
  /** Where the provider was asked to answer, and did. */
  redirectUri: string;
  /** Told of each step that went well, as it goes. */
  passed: (step: ProviderStep, detail: string) => void;
  /** Told of the claims that the provider gave, once they are verified: for a test of the connection. */
  received?: (from: 'id_token' | 'userinfo', claims: Readonly<Record<string, unknown>>) => void;
};

/** What a provider gave beside its word of who somebody is. Secrets: sealed wherever they are kept. */
export type ProviderTokens = {
  readonly idToken?: string | undefined;
  readonly refreshToken?: string | undefined;
  /** How long the access token lives, in seconds. */
  readonly expiresInSeconds?: number | undefined;
};

/** Who the person is, and what the provider gave to ask again, or to say goodbye. */
export type SignedIn = { principal: Principal; tokens: ProviderTokens };

/** The same later; the principal is undefined where the provider said nothing new of the person. */
export type Refreshed = { principal: Principal | undefined; tokens: ProviderTokens };

export type ProvidersNeeds = {
  fetch: GuardedFetch;
  remoteKeys: RemoteKeys;
  connectors: Connectors;
  clock: Clock;
  /** `{connect}`. */
  connectUrl: string;
};

export type Providers = ReturnType<typeof createProviders>;

/** Signs people in at the provider of a connector: authorization code with PKCE (OpenID Connect Core section 3.1). */
export function createProviders(needs: ProvidersNeeds) {
  const { remoteKeys, clock, connectUrl } = needs;
  const speak = createSpeech(needs);

  return {
    /** Where the answers of a connector come. */
    redirectUriOf: (connector: Connector) => redirectUriOf(connectUrl, connector),

    /** What a provider says of the end of its sessions. @throws {OAuthError} `invalid_request`; `unavailable` */
    verifyLogout: (connector: Connector, token: string): Promise<ProviderLogout> =>
      verifyLogoutToken(token, connector, needs),

    /** Where to send the browser. */
    async start(connector: Connector, secrets: SignInSecrets, redirectUri: string): Promise<string> {
      const url = new URL(connector.authorizationEndpoint);
      const parameters = {
        response_type: 'code',
        client_id: connector.clientId,
        redirect_uri: redirectUri,
        scope: connector.scopes.join(' '),
        state: secrets.state,
        ...(connector.type === 'oidc' ? { nonce: secrets.nonce } : {}),
        code_challenge: await codeChallengeS256(secrets.codeVerifier),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) {
        // OAuth 2.0 may be asked without any scope.
        if (value !== '') url.searchParams.set(name, value);
      }
      return url.href;
    },

    /**
     * Takes the provider's answer all the way to who the person is, with what the provider gave to ask again. The
     * first step that is not right ends it.
     *
     * @throws ProviderFailure
     */
    async finish(connector: Connector, answer: ProviderAnswer): Promise<SignedIn> {
      const speech = await speak(connector);
      const code = await at('authorization', () => {
        validateIssuer(connector, answer.parameters);
        answer.passed(
          'response_issuer',
          connector.authorizationResponseIssParameterSupported
            ? `The answer is from ${connector.issuer}.`
            : answer.redirectUri === `${connectUrl}/callback`
              ? 'The provider does not name itself in its answers; the state alone tells whose it is.'
              : 'The answer came at the redirect URI that only this connector has.',
        );
        return validateAuthResponse(speech.server, speech.client, answer.parameters, answer.secrets.state);
      });
      answer.passed('authorization', 'The identity provider signed the person in and gave a code.');
      const response = await at('code_exchange', () =>
        authorizationCodeGrantRequest(
          speech.server,
          speech.client,
          speech.authentication,
          code,
          answer.redirectUri,
          answer.secrets.codeVerifier,
          speech.options,
        ),
      );
      return connector.type === 'oidc'
        ? finishOpenid(connector, speech, response, answer)
        : finishOauth2(connector, speech, response, answer);
    },

    /**
     * Asks again, by a refresh token, who the person is (OpenID Connect Core section 12). The principal is undefined
     * where the provider says nothing more than that the session goes on.
     *
     * @throws ProviderFailure
     */
    async refresh(connector: Connector, refreshToken: string, externalSub: string): Promise<Refreshed> {
      const speech = await speak(connector);
      const response = await at('refresh', () =>
        refreshTokenGrantRequest(
          speech.server,
          speech.client,
          speech.authentication,
          refreshToken,
          speech.options,
        ),
      );
      return connector.type === 'oidc'
        ? refreshOpenid(connector, speech, response, externalSub)
        : refreshOauth2(connector, speech, response, externalSub);
    },
  };

  async function refreshOpenid(
    connector: Connector,
    { server, client, options }: Speech,
    response: Response,
    externalSub: string,
  ): Promise<Refreshed> {
    await verifyUnread(response.clone(), connector);
    const tokens = await at('refresh', () => processRefreshTokenResponse(server, client, response));
    const claims = getValidatedIdTokenClaims(tokens);
    if (claims !== undefined && claims.sub !== externalSub) throw anotherPerson('id_token');
    const userinfo = await at('userinfo', async () => {
      if (connector.userinfoEndpoint === undefined) return undefined;
      const answer = await userInfoRequest(server, client, tokens.access_token, options);
      return processUserInfoResponse(server, client, externalSub, answer);
    });
    const sources = [userinfo, claims].filter((source) => source !== undefined);
    const named = { externalSub, externalIss: connector.issuer };
    const principal = sources.length === 0 ? undefined : toPrincipal(connector, named, sources);
    return { principal, tokens: tokensOf(tokens) };
  }

  async function refreshOauth2(
    connector: Connector,
    { server, client, options }: Speech,
    response: Response,
    externalSub: string,
  ): Promise<Refreshed> {
    const { accessToken, ...tokens } = await at('refresh', () => readTokens(response, 'refresh'));
    const person = await at('userinfo', async () =>
      readPerson(connector, await userInfoRequest(server, client, accessToken, options)),
    );
    if (person.externalSub !== externalSub) throw anotherPerson('userinfo');
    const named = { externalSub, externalIss: connector.issuer };
    return { principal: toPrincipal(connector, named, [person.userinfo]), tokens };
  }

  /** OpenID Connect Core section 3.1.3: who the ID token says, and userinfo about the same. */
  async function finishOpenid(
    connector: Connector,
    { server, client, options }: Speech,
    response: Response,
    { secrets, passed, received }: ProviderAnswer,
  ): Promise<SignedIn> {
    const algorithm = await verifyUnread(response.clone(), connector);
    if (algorithm !== undefined) {
      passed('code_exchange', 'The code was exchanged for tokens.');
      passed('id_token_signature', `The ID token is signed with ${algorithm} by a key of the provider.`);
    }
    const tokens = await at(algorithm === undefined ? 'code_exchange' : 'id_token', () =>
      processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: secrets.nonce,
        requireIdToken: true,
      }),
    );
    const claims = getValidatedIdTokenClaims(tokens);
    if (!claims || algorithm === undefined) throw new Error('an ID token passed without signature or claims');
    const accessToken = tokens.access_token;
    validateClaims(claims, { algorithm, accessToken, connector, clock });
    passed('id_token', 'iss, aud, azp, exp, iat, nonce and at_hash are right.');
    received?.('id_token', claims);

    const userinfo = await at('userinfo', async () => {
      if (connector.userinfoEndpoint === undefined) return undefined;
      const response = await userInfoRequest(server, client, accessToken, options);
      return processUserInfoResponse(server, client, claims.sub, response);
    });
    if (userinfo) {
      passed('userinfo', 'Userinfo is about the same person as the ID token.');
      received?.('userinfo', userinfo);
    }
    const named = { externalSub: claims.sub, externalIss: claims.iss, externalSid: claims['sid'] };
    const principal = toPrincipal(connector, named, userinfo ? [userinfo, claims] : [claims]);
    return { principal, tokens: tokensOf(tokens) };
  }

  /** RFC 6749 alone: there is no ID token, so the person is who userinfo says for this access token. */
  async function finishOauth2(
    connector: Connector,
    { server, client, options }: Speech,
    response: Response,
    { passed, received }: ProviderAnswer,
  ): Promise<SignedIn> {
    const { accessToken, ...tokens } = await at('code_exchange', () => readTokens(response));
    passed('code_exchange', 'The code was exchanged for an access token.');
    const { externalSub, userinfo } = await at('userinfo', async () =>
      readPerson(connector, await userInfoRequest(server, client, accessToken, options)),
    );
    passed('userinfo', `Userinfo names the person by "${connector.subjectClaim}".`);
    received?.('userinfo', userinfo);
    const named = { externalSub, externalIss: connector.issuer };
    return { principal: toPrincipal(connector, named, [userinfo]), tokens };
  }

  /** The signature first: a claim of a token that anybody could have made is no reason for anything. */
  async function verifyUnread(response: Response, connector: Connector): Promise<string | undefined> {
    if (response.status !== 200) return undefined;
    const body: unknown = await response.json().catch(() => undefined);
    const idToken =
      typeof body === 'object' && body !== null && 'id_token' in body ? body.id_token : undefined;
    // What is missing or malformed is said by the library, in the order of the specification.
    return typeof idToken === 'string' ? verifySignature(idToken, connector, remoteKeys) : undefined;
  }
}

function anotherPerson(step: ProviderStep): ProviderFailure {
  return new ProviderFailure(step, {
    received: 'word of another person than the one who signed in',
    expected: 'the same person as before',
    mend: 'This is for the provider to mend.',
    isFinal: true,
  });
}

function tokensOf(response: TokenEndpointResponse): ProviderTokens {
  return {
    idToken: response.id_token,
    refreshToken: response.refresh_token,
    expiresInSeconds: response.expires_in,
  };
}

/** Mix-up: an answer of another provider than the one that this attempt went to (RFC 9207 section 2.4). */
function validateIssuer(connector: Connector, parameters: URLSearchParams): void {
  const iss = parameters.get('iss');
  if (iss === connector.issuer || (iss === null && !connector.authorizationResponseIssParameterSupported))
    return;
  throw new ProviderFailure('response_issuer', {
    received: iss === null ? 'an answer without iss' : `an answer of the issuer "${iss.slice(0, 200)}"`,
    expected: `an answer of "${connector.issuer}", where this sign-in began`,
    mend: 'Begin anew. If it stays, somebody may be trying to mix up two identity providers: give the reference to your team.',
  });
}

async function at<Answer>(step: ProviderStep, run: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await run();
  } catch (error) {
    throw readFailure(step, error);
  }
}
