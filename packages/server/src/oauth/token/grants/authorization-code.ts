import { matchesRedirectUri, verifyS256 } from '@tessera/protocol';
import { isPublicApp, type App } from '#apps';
import type { Codes } from '#codes';
import type { Consents } from '#consents';
import type { Database, Expected } from '#database';
import { OAuthError, oauthError } from '#errors';
import type { IssueContext, IssueIdToken, Tokens } from '#tokens';
import { authorizationCodePurpose, type AuthorizationCode } from '../../authorization/authorization-code.ts';
import { requireConsent } from '../../authorization/authorizing.ts';
import type { Redirects } from '../../redirects.ts';
import { parseReach } from '../../resources.ts';
import type { AttemptSteps, FindUser } from '../../shapes.ts';
import type { Grant, GrantedTokens } from '../grant.ts';

export type AuthorizationCodeNeeds = {
  /** The base URL of our own API. */
  api: string;
  database: Pick<Database, 'tryWrite' | 'write'>;
  codes: Pick<Codes, 'find' | 'redeem'>;
  consents: Pick<Consents, 'require'>;
  redirects: Redirects;
  tokens: Tokens;
  issueIdToken: IssueIdToken;
  findUser: FindUser;
  attempts: AttemptSteps;
  /** Refuses the unit when the login session has ended. */
  requireLiveSession: (sid: string) => Expected;
};

/**
 * RFC 6749, 4.1.3. Whatever is wrong with a request leaves the code as it is: only the right client with the right
 * verifier can use it up, in the one unit that also makes its tokens. A second time ends those tokens.
 */
export function createAuthorizationCodeGrant(needs: AuthorizationCodeNeeds): Grant {
  const { database, codes, tokens, attempts } = needs;

  async function validate(
    code: AuthorizationCode,
    client: App,
    form: ReadonlyMap<string, string>,
  ): Promise<void> {
    const redirectUri = form.get('redirect_uri');
    if (redirectUri === undefined) throw oauthError('invalid_request', "Parameter 'redirect_uri'. Required");
    if (redirectUri !== code.redirectUri) {
      throw oauthError(
        'invalid_grant',
        "Parameter 'redirect_uri'. It is not the one that the authorization request was sent with",
      );
    }
    // Checked again: it may have been taken off the app's list within the minute.
    const { app } = await needs.redirects.admit(client, redirectUri);
    if (!app.redirectUris.some((registered) => matchesRedirectUri(registered, redirectUri))) {
      throw oauthError('invalid_grant', "Parameter 'redirect_uri'. It is not registered any more");
    }
    const codeVerifier = form.get('code_verifier');
    if (code.codeChallenge === undefined) {
      // Accepting it would let a stripped challenge go unnoticed (RFC 9700, 4.8.2).
      if (codeVerifier === undefined) return;
      throw oauthError(
        'invalid_grant',
        "Parameter 'code_verifier'. The authorization request was sent without a code_challenge",
      );
    }
    if (codeVerifier === undefined) throw oauthError('invalid_grant', "Parameter 'code_verifier'. Required");
    if (!(await verifyS256(codeVerifier, code.codeChallenge))) {
      throw oauthError('invalid_grant', "Parameter 'code_verifier'. It does not fit the code_challenge");
    }
  }

  /** Ends what the first use gave, and says so. */
  async function refuseReuse(code: AuthorizationCode, context: IssueContext): Promise<never> {
    await tokens.endAfterCodeReuse(code.family, context);
    throw oauthError('invalid_grant', 'The code was used before: all tokens it gave are revoked');
  }

  /** Undefined when another request used the code up first. */
  async function redeem(
    secret: string,
    code: AuthorizationCode,
    client: App,
    form: ReadonlyMap<string, string>,
    context: IssueContext,
  ): Promise<GrantedTokens | undefined> {
    const { nonce, reference } = code;
    const family = isPublicApp(client) ? { ...code.family, dpopJkt: context.dpopJkt } : code.family;
    const user = await needs.findUser(family.userId);
    if (user === undefined || user.disabledAt !== undefined) {
      throw oauthError('invalid_grant', 'The account is disabled');
    }
    // A `scope` here means nothing (RFC 6749, 4.1.3); resource servers may be chosen for each token.
    const { resources } = parseReach(new Map([['resource', form.get('resource') ?? '']]), family, needs.api);
    const reach = { scopes: family.scopes, resources };
    const { statements, ...issued } = await tokens.prepareFamily(family, reach, context);
    // Signed before the commit: a key that cannot sign must not cost the person their code.
    const { accessToken } = issued;
    const algorithm = client.idTokenSignedResponseAlg;
    const idToken = family.scopes.includes('openid')
      ? await needs.issueIdToken({ family, user, algorithm, accessToken, nonce })
      : undefined;
    const outcome = await database.tryWrite([
      codes.redeem(authorizationCodePurpose, secret),
      needs.requireLiveSession(family.sid),
      ...requireConsent(needs.consents, code),
      ...statements,
      attempts.step(reference, { step: 'tokens', outcome: 'ok' }),
    ]);
    if (!outcome.committed) return undefined;
    return { ...issued, ...(idToken === undefined ? {} : { idToken }) };
  }

  return {
    grantType: 'authorization_code',
    async issue({ client, form, context }) {
      const secret = form.get('code');
      if (secret === undefined) throw oauthError('invalid_request', "Parameter 'code'. Required");
      const found = await codes.find<AuthorizationCode>(authorizationCodePurpose, secret);
      // Another client's attempt must not burn the code, nor learn that there is one.
      if (found === undefined || found.payload.family.clientId !== client.id) {
        throw oauthError('invalid_grant', 'The code is unknown, or was issued to another client');
      }
      const { payload: code, state } = found;
      if (state === 'used') return refuseReuse(code, context);
      if (state === 'expired') throw expired();
      let granted: GrantedTokens | undefined;
      try {
        validateKey(code, context.dpopJkt);
        await validate(code, client, form);
        granted = await redeem(secret, code, client, form, context);
      } catch (error) {
        if (error instanceof OAuthError) {
          const step = { step: 'tokens', outcome: 'failed', detail: error.description } as const;
          await database.write([attempts.step(code.reference, step)]);
        }
        throw error;
      }
      if (granted !== undefined) return granted;
      // Used by another request, or expired, between the two statements.
      const now = await codes.find(authorizationCodePurpose, secret);
      if (now?.state === 'used') return refuseReuse(code, context);
      if (now?.state !== 'live') throw expired();
      throw oauthError('invalid_grant', 'The login or the consent that the code came from has ended');
    },
  };
}

/** RFC 9449, 10: a code that was asked for with a key is given to that key alone. */
function validateKey(code: AuthorizationCode, dpopJkt: string | undefined): void {
  if (code.dpopJkt === undefined || code.dpopJkt === dpopJkt) return;
  throw oauthError(
    'invalid_grant',
    dpopJkt === undefined
      ? 'The code is bound to a key. Expected a DPoP header with a proof'
      : 'The code is bound to another key than that of the DPoP proof',
  );
}

function expired() {
  return oauthError('invalid_grant', 'The code has expired: it lives 60 seconds');
}
