import { deviceCodeGrantType } from '@tessera/protocol';
import { isPublicApp, type App } from '#apps';
import type { Codes } from '#codes';
import type { Consents } from '#consents';
import type { Database, Expected } from '#database';
import { oauthError } from '#errors';
import type { DeviceRequest, DeviceRequests } from '#requests';
import type { IssueContext, IssueIdToken, TokenFamily, Tokens } from '#tokens';
import {
  deviceCodePurpose,
  deviceConsentHost,
  type DeviceCode,
} from '../../device-authorization/device-code.ts';
import { parseReach } from '../../resources.ts';
import type { AttemptSteps, FindUser } from '../../shapes.ts';
import type { Grant, GrantedTokens } from '../grant.ts';

export type DeviceCodeNeeds = {
  /** The base URL of our own API. */
  api: string;
  database: Pick<Database, 'tryWrite' | 'write'>;
  codes: Pick<Codes, 'find' | 'redeem'>;
  consents: Pick<Consents, 'require'>;
  deviceRequests: Pick<DeviceRequests, 'find' | 'ask' | 'slowDown' | 'complete'>;
  tokens: Tokens;
  issueIdToken: IssueIdToken;
  findUser: FindUser;
  attempts: AttemptSteps;
  /** Refuses the unit when the login session has ended. */
  requireLiveSession: (sid: string) => Expected;
};

/**
 * RFC 8628, 3.4 and 3.5. A device asks again and again, so that two of its questions may be under way at once: one of
 * them gets the tokens, and the other ends nothing.
 */
export function createDeviceCodeGrant(needs: DeviceCodeNeeds): Grant {
  const { database, codes, deviceRequests, tokens } = needs;

  /** Undefined when something was first: another question, or the end of the login. */
  async function redeem(
    secret: string,
    request: DeviceRequest,
    client: App,
    form: ReadonlyMap<string, string>,
    context: IssueContext,
  ): Promise<GrantedTokens | undefined> {
    const { claim, approved } = request;
    if (claim === undefined || approved === undefined) throw new Error('an approval without a login');
    const user = await needs.findUser(claim.userId);
    if (user === undefined || user.disabledAt !== undefined) {
      throw oauthError('invalid_grant', 'The account is disabled');
    }
    const family: TokenFamily = {
      id: tokens.allotFamilyId(),
      clientId: client.id,
      userId: claim.userId,
      sid: claim.sid,
      scopes: request.scopes,
      resources: request.resources,
      authenticatedAt: approved.authenticatedAt,
      amr: approved.amr,
      redirectHost: '',
      ...(isPublicApp(client) ? { dpopJkt: context.dpopJkt } : {}),
    };
    const { resources } = parseReach(new Map([['resource', form.get('resource') ?? '']]), family, needs.api);
    const reach = { scopes: family.scopes, resources };
    const { statements, ...issued } = await tokens.prepareFamily(family, reach, context);
    const { accessToken } = issued;
    const algorithm = client.idTokenSignedResponseAlg;
    const idToken = family.scopes.includes('openid')
      ? await needs.issueIdToken({ family, user, algorithm, accessToken })
      : undefined;
    const outcome = await database.tryWrite([
      codes.redeem(deviceCodePurpose, secret),
      deviceRequests.complete(request.id),
      needs.requireLiveSession(claim.sid),
      needs.consents.require({
        userId: claim.userId,
        appId: client.id,
        teamId: undefined,
        host: deviceConsentHost,
      }),
      ...statements,
      needs.attempts.step(request.reference, { step: 'tokens', outcome: 'ok' }),
    ]);
    return outcome.committed ? { ...issued, ...(idToken === undefined ? {} : { idToken }) } : undefined;
  }

  /** Tells the device to go on asking, more slowly when it asks too often. */
  async function refuseForNow({ id, interval }: DeviceRequest): Promise<never> {
    const { committed } = await database.tryWrite([deviceRequests.ask(id)]);
    if (committed) {
      throw oauthError('authorization_pending', 'The person has not decided yet. Ask again later');
    }
    await database.write([deviceRequests.slowDown(id)]);
    throw oauthError('slow_down', `The device asks too often. Ask again in ${interval + 5} seconds`);
  }

  return {
    grantType: deviceCodeGrantType,
    async issue({ client, form, context }) {
      const secret = form.get('device_code');
      if (secret === undefined) throw oauthError('invalid_request', "Parameter 'device_code'. Required");
      const found = await codes.find<DeviceCode>(deviceCodePurpose, secret);
      const request = found && (await deviceRequests.find(found.payload.requestId));
      if (found === undefined || request === undefined || request.clientId !== client.id) {
        throw oauthError('invalid_grant', 'The device code is unknown, or was issued to another client');
      }
      if (request.state === 'denied') {
        throw oauthError('access_denied', 'The user canceled the authorization process');
      }
      if (found.state === 'used' || request.state === 'completed') throw used();
      if (found.state === 'expired' || request.state === 'expired') {
        throw oauthError('expired_token', 'The device code has expired. Begin anew');
      }
      if (request.state === 'pending') return refuseForNow(request);
      const granted = await redeem(secret, request, client, form, context);
      if (granted !== undefined) return granted;
      const now = await codes.find(deviceCodePurpose, secret);
      if (now?.state === 'used') throw used();
      throw oauthError('access_denied', 'The login or the consent that allowed this device has ended');
    },
  };
}

function used() {
  return oauthError('invalid_grant', 'The device code was used before');
}
