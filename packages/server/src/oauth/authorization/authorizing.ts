import type { App } from '#apps';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Consents } from '#consents';
import type { Bound, Database, Expected } from '#database';
import type { AuthorizationParameters, AuthorizationRequest } from '#requests';
import type { Tokens } from '#tokens';
import type { AttemptSteps, Browser, FindMembership } from '../shapes.ts';
import {
  authorizationCodeLifetimeMilliseconds,
  authorizationCodePurpose,
  type AuthorizationCode,
} from './authorization-code.ts';
import { acrOf } from './claims.ts';
import { decide, type NextStep } from './decision.ts';

export type AuthorizingNeeds = {
  database: Pick<Database, 'tryWrite'>;
  clock: Clock;
  audit: Pick<Audit, 'record'>;
  codes: Pick<Codes, 'issue'>;
  consents: Pick<Consents, 'listOfApp' | 'require'>;
  tokens: Pick<Tokens, 'allotFamilyId'>;
  attempts: AttemptSteps;
  findMembership: FindMembership;
};

/** Where a request stands: with whom, and on the way since when. */
export type Standing = {
  app: App;
  parameters: AuthorizationParameters;
  browser: Browser;
  /** The stored request; undefined on the first step of one that nobody has been asked about. */
  request: AuthorizationRequest | undefined;
};

export type Authorizing = ReturnType<typeof createAuthorizing>;

/** Somebody is logged in who may be. */
export function isLoggedIn({ session, user }: Browser): boolean {
  return session !== undefined && user !== undefined && user.disabledAt === undefined;
}

/** Names a login: another one, or the same person proving themselves again, has another name. */
export function loginMark({ session }: Browser): string | undefined {
  return session && `${session.id} ${session.authenticatedAt}`;
}

/** Somebody logged in since the request came. Clocks are not asked: another login has another mark. */
function isFreshLogin({ browser, request }: Pick<Standing, 'browser' | 'request'>): boolean {
  return request !== undefined && loginMark(browser) !== request.loginAtStart;
}

/** Refuses the unit that makes tokens when the person has taken back what they allowed the app. */
export function requireConsent(
  consents: Pick<Consents, 'require'>,
  { consent, family }: Pick<AuthorizationCode, 'consent' | 'family'>,
): Expected[] {
  if (consent === undefined) return [];
  const { userId, clientId: appId, grantedTeamId: teamId } = family;
  return [consents.require({ userId, appId, teamId, host: consent.host })];
}

/** Deciding and issuing, for the door and for the consent page. */
export function createAuthorizing(needs: AuthorizingNeeds) {
  const { codes, consents, findMembership, clock, attempts, audit } = needs;

  /** What the person allowed this app, for the host asked for, in teams that they are still a member of. */
  async function listConsents(userId: string, app: App, { projectHost }: AuthorizationParameters) {
    const all = await consents.listOfApp(userId, app.id);
    const here = all.filter(({ host }) => host === projectHost);
    const memberships = await Promise.all(
      here.map(async ({ teamId }) => teamId === undefined || findMembership(teamId, userId)),
    );
    return here.filter((_, index) => memberships[index] !== undefined);
  }

  return {
    async decide({ app, parameters, browser, request }: Standing): Promise<NextStep> {
      const { session, user } = browser;
      const login =
        session === undefined || user === undefined || user.disabledAt !== undefined ? undefined : session;
      const [membership, consented = []] =
        login === undefined
          ? []
          : await Promise.all([
              app.signInAccess === 'team' ? findMembership(app.teamId, login.userId) : undefined,
              listConsents(login.userId, app, parameters),
            ]);
      return decide({
        app,
        parameters,
        now: clock.now(),
        login,
        isFreshLogin: isFreshLogin({ browser, request }),
        isMember: membership !== undefined,
        consented,
        approved: request?.approved?.userId === login?.userId ? request?.approved : undefined,
        cancelled: request?.cancelled ?? false,
      });
    },

    /**
     * Issues the code, in one unit with `before` (the end of the stored request, or the beginning of the attempt).
     * Undefined when the unit was refused: the request was finished meanwhile.
     */
    async issueCode(
      standing: Standing,
      answered: {
        reference: string;
        consent: string;
        /** The team that permissions are given in. */
        teamId: string | undefined;
        before: readonly (Bound<unknown> | Expected)[];
      },
    ): Promise<string | undefined> {
      const { app, parameters, browser } = standing;
      const { session } = browser;
      if (session === undefined) throw new Error('a code is issued only for somebody who is logged in');
      const code: AuthorizationCode = {
        family: {
          id: needs.tokens.allotFamilyId(),
          clientId: app.id,
          userId: session.userId,
          sid: session.id,
          scopes: parameters.scopes,
          authenticatedAt: session.authenticatedAt,
          amr: session.amr,
          redirectHost: new URL(parameters.redirectUri).host,
          resources: parameters.resources,
          grantedTeamId: answered.teamId,
          claims: parameters.claims,
          acr: parameters.acr === undefined ? undefined : acrOf(session.amr),
        },
        redirectUri: parameters.redirectUri,
        codeChallenge: parameters.codeChallenge,
        nonce: parameters.nonce,
        dpopJkt: parameters.dpopJkt,
        consent: answered.consent === 'first party' ? undefined : { host: parameters.projectHost },
        reference: answered.reference,
      };
      const { secret, statement } = codes.issue(
        authorizationCodePurpose,
        code,
        authorizationCodeLifetimeMilliseconds,
        code.family.clientId,
      );
      const outcome = await needs.database.tryWrite([
        ...answered.before,
        ...requireConsent(consents, code),
        statement,
        // What the person did on our pages is on the record already.
        ...(isFreshLogin(standing)
          ? []
          : [
              attempts.step(answered.reference, { step: 'login', outcome: 'ok', detail: 'logged in before' }),
            ]),
        ...(answered.consent === 'given'
          ? []
          : [
              attempts.step(answered.reference, { step: 'consent', outcome: 'ok', detail: answered.consent }),
            ]),
        attempts.step(answered.reference, { step: 'code', outcome: 'ok' }),
        audit.record({
          actor: session.userId,
          action: 'authorization-code.issue',
          object: code.family.id,
          teamId: app.teamId,
          after: {
            clientId: app.id,
            scopes: parameters.scopes,
            teamId: answered.teamId,
            redirectUri: parameters.redirectUri,
          },
          reference: answered.reference,
        }),
      ]);
      return outcome.committed ? secret : undefined;
    },
  };
}
