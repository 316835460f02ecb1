import * as openid from 'openid-client';

export type DeviceSettings = {
  issuer: string;
  clientId: string;
  /** Shows a person where to go with which code. */
  show: (prompt: { address: string; code: string; addressWithCode: string | undefined }) => void;
};

/** Signs a program without a browser in: a public client that shows a code and waits. */
export async function signInOnDevice({ issuer, clientId, show }: DeviceSettings) {
  const tessera = await openid.discovery(new URL(issuer), clientId, undefined, openid.None(), {
    // Plain http is for your own machine.
    execute: issuer.startsWith('http:') ? [openid.allowInsecureRequests] : [],
  });

  const started = await openid.initiateDeviceAuthorization(tessera, {
    scope: 'openid profile email offline_access',
  });
  show({
    address: started.verification_uri,
    code: started.user_code,
    addressWithCode: started.verification_uri_complete,
  });
  const tokens = await openid.pollDeviceAuthorizationGrant(tessera, started);

  const sub = tokens.claims()?.sub;
  if (sub === undefined) throw new Error('there is no ID token: is openid among the scopes of the app?');
  const person = await openid.fetchUserInfo(tessera, tokens.access_token, sub);
  return { person, tokens };
}
