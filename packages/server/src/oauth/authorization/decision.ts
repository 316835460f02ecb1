import { isWithin } from '@tessera/protocol';
import { isPublicApp, isVerifiedApp, type App } from '#apps';
import type { OAuthErrorCode } from '#errors';
import type { AuthorizationParameters } from '#requests';
import { isAcrMet, scopesToAllow } from './claims.ts';
import { needsTeam } from './permissions.ts';

/** All that the decision rests on. Times are milliseconds since the epoch. */
export type AuthorizationFacts = {
  app: Pick<App, 'signInAccess' | 'firstParty' | 'registration' | 'tokenEndpointAuthMethods'>;
  parameters: AuthorizationParameters;
  now: number;
  /** Who is logged in. */
  login: { userId: string; authenticatedAt: number; amr: readonly string[] } | undefined;
  /** They logged in after the request came. */
  isFreshLogin: boolean;
  /** Whether they are a member of the team that owns the app. */
  isMember: boolean;
  /** What they allowed the app before, the latest first. */
  consented: readonly Allowed[];
  /** What they allowed on the consent page of this very request. */
  approved: Allowed | undefined;
  cancelled: boolean;
};

/** What a person allowed, and the team they allowed permissions in. */
export type Allowed = { scopes: readonly string[]; teamId: string | undefined };

type RefusedStep = 'request' | 'login' | 'access' | 'consent';

export type NextStep =
  | { next: 'login' }
  | { next: 'consent' }
  | { next: 'answer'; consent: 'given' | 'remembered' | 'first party'; teamId: string | undefined }
  | { next: 'refuse'; step: RefusedStep; error: OAuthErrorCode; description: string };

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
  if (parameters.refusal !== undefined) {
    return refuse('request', parameters.refusal.error, parameters.refusal.description);
  }
  if (parameters.hintedUserId !== undefined && parameters.hintedUserId !== login.userId) {
    return isSilent || facts.isFreshLogin
      ? refuse('login', 'login_required', 'Another user than the one of id_token_hint is logged in')
      : { next: 'login' };
  }
  if (!isAcrMet(parameters.acr, login.amr)) {
    return refuse(
      'login',
      'unmet_authentication_requirements',
      'No login here has the authentication context class that is asked for',
    );
  }
  if (app.signInAccess === 'team' && !facts.isMember) {
    return refuse('access', 'access_denied', 'Only members of the team that owns this app may sign in to it');
  }
  const toAllow = scopesToAllow(parameters);
  const hasTeam = !needsTeam(parameters.scopes);
  const covers = ({ scopes, teamId }: Allowed) =>
    isWithin(toAllow, scopes) && (hasTeam || teamId !== undefined);
  if (facts.approved !== undefined && covers(facts.approved)) {
    return { next: 'answer', consent: 'given', teamId: facts.approved.teamId };
  }
  if (!prompts.includes('consent') && mayRemember(app, parameters)) {
    // Which team it is about is the person's own choice, also where we ask nothing else.
    if (app.firstParty && hasTeam) return { next: 'answer', consent: 'first party', teamId: undefined };
    const remembered = facts.consented.find(covers);
    if (remembered !== undefined) {
      return { next: 'answer', consent: 'remembered', teamId: remembered.teamId };
    }
  }
  return isSilent
    ? refuse('consent', 'consent_required', 'The user has not allowed this yet')
    : { next: 'consent' };
}

/** Whoever can be impersonated by any program of the machine, or vouches for itself, is asked about each time. */
function mayRemember(app: AuthorizationFacts['app'], { redirectUri }: AuthorizationParameters): boolean {
  return isVerifiedApp(app) && (!isPublicApp(app) || redirectUri.startsWith('https:'));
}

function isLoginEnough(facts: AuthorizationFacts, login: { authenticatedAt: number }): boolean {
  if (facts.isFreshLogin) return true;
  const { prompts, maxAge } = facts.parameters;
  if (prompts.includes('login') || prompts.includes('select_account')) return false;
  return maxAge === undefined || (maxAge > 0 && facts.now - login.authenticatedAt <= maxAge * 1000);
}

function refuse(step: RefusedStep, error: OAuthErrorCode, description: string): NextStep {
  return { next: 'refuse', step, error, description };
}
