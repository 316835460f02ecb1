import { isWithin } from '@tessera/protocol';
import { isPublicApp, type App } from '#apps';
import type { OAuthErrorCode } from '#errors';
import type { AuthorizationParameters } from '#requests';

/** All that the decision rests on. Times are milliseconds since the epoch. */
export type AuthorizationFacts = {
  app: Pick<App, 'signInAccess' | 'firstParty' | 'tokenEndpointAuthMethods'>;
  parameters: AuthorizationParameters;
  now: number;
  /** Who is logged in. */
  login: { userId: string; authenticatedAt: number } | undefined;
  /** They logged in after the request came. */
  isFreshLogin: boolean;
  /** Whether they are a member of the team that owns the app. */
  isMember: boolean;
  /** What they allowed the app before. */
  consented: readonly string[] | undefined;
  /** What they allowed on the consent page of this very request. */
  approved: readonly string[] | undefined;
  cancelled: boolean;
};

export type NextStep =
  | { next: 'login' }
  | { next: 'consent' }
  | { next: 'answer'; consent: 'given' | 'remembered' | 'first party' }
  | { next: 'refuse'; step: 'login' | 'access' | 'consent'; error: OAuthErrorCode; description: string };

/**
 * What comes next in an authorization, the whole of it on one screen: login, access, consent, answer; each either
 * asks the person or, with `prompt=none`, tells the app what it would have asked (OpenID Connect Core 3.1.2.6).
 */
export function decide(facts: AuthorizationFacts): NextStep {
  const { app, parameters, login } = facts;
  const { prompts } = parameters;
  const isSilent = prompts.includes('none');

  if (facts.cancelled) {
    return refuse('consent', 'access_denied', 'The user canceled the authorization process');
  }
  if (login === undefined || !isLoginEnough(facts, login)) {
    return isSilent ? refuse('login', 'login_required', 'The user is not logged in') : { next: 'login' };
  }
  if (parameters.hintedUserId !== undefined && parameters.hintedUserId !== login.userId) {
    return isSilent || facts.isFreshLogin
      ? refuse('login', 'login_required', 'Another user than the one of id_token_hint is logged in')
      : { next: 'login' };
  }
  if (app.signInAccess === 'team' && !facts.isMember) {
    return refuse('access', 'access_denied', 'Only members of the team that owns this app may sign in to it');
  }
  if (facts.approved !== undefined && isWithin(parameters.scopes, facts.approved)) {
    return { next: 'answer', consent: 'given' };
  }
  const asksAnew = prompts.includes('consent');
  const mayRemember = !isPublicApp(app) || parameters.redirectUri.startsWith('https:');
  if (app.firstParty && mayRemember && !asksAnew) return { next: 'answer', consent: 'first party' };
  if (
    facts.consented !== undefined &&
    isWithin(parameters.scopes, facts.consented) &&
    mayRemember &&
    !asksAnew
  ) {
    return { next: 'answer', consent: 'remembered' };
  }
  return isSilent
    ? refuse('consent', 'consent_required', 'The user has not allowed this yet')
    : { next: 'consent' };
}

function isLoginEnough(facts: AuthorizationFacts, login: { authenticatedAt: number }): boolean {
  if (facts.isFreshLogin) return true;
  const { prompts, maxAge } = facts.parameters;
  if (prompts.includes('login') || prompts.includes('select_account')) return false;
  return maxAge === undefined || (maxAge > 0 && facts.now - login.authenticatedAt <= maxAge * 1000);
}

function refuse(step: 'login' | 'access' | 'consent', error: OAuthErrorCode, description: string): NextStep {
  return { next: 'refuse', step, error, description };
}
