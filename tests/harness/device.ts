import type { Client } from '../../packages/contract/src/index.ts';
import { logIn } from './front-door.ts';
import { sendForm, type Answer } from './send.ts';
import { createApp, type ConfidentialApp } from './sign-in-world.ts';
import type { Account } from './sign-in.ts';
import type { Visitor } from './visitor.ts';

export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code';

export type DeviceAuthorization = {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
};

/** An app of a team that has the device flow switched on. */
export async function createDeviceApp(call: Client, teamId: string, name: string): Promise<ConfidentialApp> {
  const app = await createApp(call, teamId, { name });
  await call('apps.update', {
    params: { id: app.clientId },
    query: { teamId },
    body: { grantTypes: ['authorization_code', 'refresh_token', deviceGrantType] },
  });
  return app;
}

/** What a device does: it asks for a code, and then again and again for its tokens. */
export function createDevice(api: string, app: ConfidentialApp) {
  const basic = Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64');
  const headers = { authorization: `Basic ${basic}`, 'user-agent': 'AcmeTV/3 (Linux)' };
  return {
    authorize: (fields: Record<string, string> = {}): Promise<Answer> =>
      sendForm(`${api}/login/oauth/device-authorization`, fields, headers),
    async begin(): Promise<DeviceAuthorization> {
      const answer = await this.authorize();
      if (answer.status !== 200) throw new Error(`no device code: ${answer.status} ${answer.text}`);
      return answer.json() as DeviceAuthorization;
    },
    ask: (deviceCode: string, port?: number): Promise<Answer> =>
      sendForm(
        `${api}/login/oauth/token`,
        { grant_type: deviceGrantType, device_code: deviceCode },
        headers,
        port,
      ),
  };
}

/** Opens the page of the device flow, logs in where that is asked for, and enters a code. */
export async function enterUserCode(
  visitor: Visitor,
  address: string,
  account: Account,
  userCode: string,
): Promise<Answer> {
  let page = await visitor.visit(address);
  if (page.text.includes('id="login"')) page = await visitor.follow(await logIn(visitor, page, account));
  return visitor.follow(await visitor.submit(page, 'device', { user_code: userCode }, 'device-continue'));
}
