import { isBuiltIn, isVerifiedApp, type App, type Apps } from '#apps';
import type { Audit } from '#audit';
import type { Consents } from '#consents';
import type { Database } from '#database';
import { publicError } from '#errors';
import { networkOf, type Limits } from '#limits';
import { parseUserCode, type Claim, type DeviceRequest, type DeviceRequests } from '#requests';
import { describeScopes, ownName } from '../authorization/scope-words.ts';
import type { AttemptSteps, Browser, FindMembership, FindTeamName } from '../shapes.ts';
import { deviceConsentHost } from './device-code.ts';

export type DeviceInteractionNeeds = {
  database: Pick<Database, 'tryWrite' | 'write'>;
  apps: Pick<Apps, 'find'>;
  audit: Pick<Audit, 'record'>;
  consents: Consents;
  limits: Limits;
  deviceRequests: DeviceRequests;
  attempts: AttemptSteps;
  findTeam: FindTeamName;
  findMembership: FindMembership;
};

type LoggedIn = Browser & { session: NonNullable<Browser['session']> };

/** Item 85 of the checklist: five tries; a network may have more than one person behind it. */
const mostTries = { person: 5, network: 30 };
const windowMilliseconds = 10 * 60_000;

/** What the pages of the device flow (RFC 8628, 3.3) show and do. */
export type DeviceSignIn = ReturnType<typeof createDeviceSignIn>;

export function createDeviceSignIn(needs: DeviceInteractionNeeds) {
  const { database, deviceRequests, limits, attempts, audit } = needs;

  /**
   * The request, for the login that claimed it. Throws `device_request_gone`, `device_request_elsewhere`, or
   * `device_access_denied`, which also tells the device.
   */
  async function getClaimed(
    id: string,
    browser: LoggedIn,
  ): Promise<{ request: DeviceRequest; app: App; claim: Claim }> {
    const request = await deviceRequests.find(id);
    const app = request && (await needs.apps.find(request.clientId));
    if (request === undefined || app === undefined) throw publicError('device_request_gone');
    const claim = claimOf(browser);
    const isOwn =
      request.claim?.sid === claim.sid &&
      request.claim.browserId === claim.browserId &&
      request.claim.userId === claim.userId;
    if (!isOwn) throw publicError('device_request_elsewhere');
    if (request.state !== 'pending') throw publicError('device_request_gone');
    if (app.signInAccess === 'team' && (await needs.findMembership(app.teamId, claim.userId)) === undefined) {
      await database.tryWrite([
        deviceRequests.deny(id, claim),
        attempts.step(request.reference, {
          step: 'access',
          outcome: 'failed',
          detail: 'Only members of the team that owns this app may sign in to it',
        }),
      ]);
      throw publicError('device_access_denied');
    }
    return { request, app, claim };
  }

  return {
    /**
     * Claims the request that waits for this code: from then on this login alone can decide. Undefined when none does.
     * Throws `too_many_tries`, or `device_request_elsewhere` when another login was first.
     */
    async claim(typed: string, browser: LoggedIn, clientAddress: string): Promise<string | undefined> {
      const claim = claimOf(browser);
      const network = networkOf(clientAddress);
      const counted = await database.tryWrite([
        limits.count('device-code-of-person', claim.userId, mostTries.person, windowMilliseconds),
        limits.count('device-code-of-network', network, mostTries.network, windowMilliseconds),
      ]);
      if (!counted.committed) {
        throw publicError('too_many_tries', {
          description: 'Too many codes were entered in the last ten minutes.',
          headers: { 'retry-after': String(windowMilliseconds / 1000) },
        });
      }
      const userCode = parseUserCode(typed);
      const request = userCode === undefined ? undefined : await deviceRequests.findByUserCode(userCode);
      if (request === undefined) return undefined;
      const outcome = await database.tryWrite([
        deviceRequests.claim(request.id, claim),
        limits.clear('device-code-of-person', claim.userId),
        limits.giveBack('device-code-of-network', network),
        attempts.step(request.reference, { step: 'code entered', outcome: 'ok' }),
      ]);
      if (!outcome.committed) throw publicError('device_request_elsewhere');
      return request.id;
    },

    async describe(id: string, browser: LoggedIn) {
      const { request, app } = await getClaimed(id, browser);
      const team = await needs.findTeam(app.teamId);
      return {
        app: {
          name: app.name,
          logo: app.logo,
          teamName: team?.name ?? (isBuiltIn(app) ? ownName : ''),
          verified: isVerifiedApp(app),
        },
        scopes: describeScopes(request.scopes, isBuiltIn(app)),
        resources: request.resources,
        asked: { at: request.createdAt, address: request.address, userAgent: request.userAgent },
      };
    },

    async approve(id: string, browser: LoggedIn): Promise<void> {
      const { request, app, claim } = await getClaimed(id, browser);
      const { scopes, reference } = request;
      const { authenticatedAt, amr, userId } = browser.session;
      const consented = await needs.consents.listOfApp(userId, app.id);
      const before = consented.find((one) => one.teamId === undefined && one.host === deviceConsentHost);
      const outcome = await database.tryWrite([
        deviceRequests.approve(id, claim, { authenticatedAt, amr }),
        needs.consents.record(
          { userId, appId: app.id, teamId: undefined, host: deviceConsentHost, scopes },
          before,
        ),
        attempts.step(reference, { step: 'consent', outcome: 'ok', detail: 'given' }),
        audit.record({
          actor: userId,
          action: 'device-request.approve',
          object: id,
          teamId: app.teamId,
          after: { clientId: app.id, scopes, address: request.address },
          reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('device_request_gone');
    },

    async deny(id: string, browser: LoggedIn): Promise<void> {
      const { request, app, claim } = await getClaimed(id, browser);
      const detail = 'The user canceled the authorization process';
      const outcome = await database.tryWrite([
        deviceRequests.deny(id, claim),
        attempts.step(request.reference, { step: 'consent', outcome: 'failed', detail }),
        audit.record({
          actor: claim.userId,
          action: 'device-request.deny',
          object: id,
          teamId: app.teamId,
          reference: request.reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('device_request_gone');
    },
  };
}

function claimOf(browser: LoggedIn): Claim {
  return { browserId: browser.id, userId: browser.session.userId, sid: browser.session.id };
}
