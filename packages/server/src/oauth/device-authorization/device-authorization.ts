import { deviceCodeGrantType } from '@tessera/protocol';
import { grantTypesOf } from '#apps';
import type { AuthenticateClient } from '#clients';
import type { Codes } from '#codes';
import type { Database } from '#database';
import { oauthError } from '#errors';
import { jsonAnswer, type DirectAnswer, type DirectCall } from '#http';
import { networkOf, type Limits } from '#limits';
import {
  deviceIntervalSeconds,
  deviceRequestLifetimeSeconds,
  formatUserCode,
  type DeviceRequests,
} from '#requests';
import { parseScopes } from '../authorization/parsing.ts';
import type { Endpoint } from '../endpoint.ts';
import { parseResources } from '../resources.ts';
import type { SignInAttempts } from '../shapes.ts';
import { readEndpointForm } from '../token/token.ts';
import { deviceCodePurpose, type DeviceCode } from './device-code.ts';

export type DeviceAuthorizationNeeds = {
  origin: string;
  api: string;
  authenticate: AuthenticateClient;
  database: Pick<Database, 'tryWrite'>;
  codes: Pick<Codes, 'issue'>;
  limits: Pick<Limits, 'count'>;
  deviceRequests: Pick<DeviceRequests, 'create'>;
  attempts: SignInAttempts;
};

/** Requests from one network: each is a row for ten minutes, and anybody may send a public app's id. */
const mostOfNetwork = 100;
const windowMilliseconds = 10 * 60_000;

/** The device authorization endpoint (RFC 8628, 3.1 and 3.2), for apps that have the grant switched on. */
export function createDeviceAuthorization(needs: DeviceAuthorizationNeeds): Endpoint {
  const { api, origin, limits } = needs;

  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const form = await readEndpointForm(call);
    const { clientAddress } = call;
    const client = await needs.authenticate({
      authorization: call.header('authorization'),
      form,
      clientAddress,
    });
    if (!grantTypesOf(client).includes(deviceCodeGrantType)) {
      throw oauthError(
        'unauthorized_client',
        `This client may not use the device flow: '${deviceCodeGrantType}' is not among its grant types`,
      );
    }
    // A device asks for somebody who may be far away: what it gets is who they are, nothing that it could do here.
    const scopes = parseScopes(form, { ...client, permissions: [] });
    const resources = parseResources(form, client, api);
    const counted = await needs.database.tryWrite([
      limits.count('device-authorization', networkOf(clientAddress), mostOfNetwork, windowMilliseconds),
    ]);
    if (!counted.committed) {
      throw oauthError('slow_down', 'Too many device requests came from this network', {
        status: 429,
        headers: { 'retry-after': String(windowMilliseconds / 1000) },
      });
    }

    // A code that is taken is one in 10^10: the second try is for that.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const started = needs.attempts.begin({ kind: 'sign-in', teamId: client.teamId, appId: client.id });
      const request = needs.deviceRequests.create({
        clientId: client.id,
        scopes,
        resources,
        reference: started.reference,
        address: clientAddress,
        userAgent: call.header('user-agent'),
      });
      const code: DeviceCode = { requestId: request.id };
      const { secret, statement } = needs.codes.issue(
        deviceCodePurpose,
        code,
        deviceRequestLifetimeSeconds * 1000,
      );
      const outcome = await needs.database.tryWrite([
        started.statement,
        needs.attempts.step(started.reference, { step: 'request', outcome: 'ok', detail: 'by a device' }),
        request.statement,
        statement,
      ]);
      if (!outcome.committed) continue;
      const userCode = formatUserCode(request.userCode);
      return jsonAnswer(
        {
          device_code: secret,
          user_code: userCode,
          verification_uri: `${origin}/oauth/device`,
          verification_uri_complete: `${origin}/oauth/device?user_code=${userCode}`,
          expires_in: deviceRequestLifetimeSeconds,
          interval: deviceIntervalSeconds,
        },
        200,
        { 'cache-control': 'no-store', pragma: 'no-cache' },
      );
    }
    throw oauthError('temporarily_unavailable', 'No free user code was found. Ask again', { status: 503 });
  }

  return {
    metadata: { device_authorization_endpoint: `${api}/login/oauth/device-authorization` },
    routes: [{ path: '/login/oauth/device-authorization', methods: { POST: answer }, forAnyOrigin: true }],
  };
}
