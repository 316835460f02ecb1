import { setTimeout as sleep } from 'node:timers/promises';
import { deviceCodeGrantType } from '@tessera/protocol';
import { CommandError, show } from '../errors.ts';
import { ask } from './ask.ts';
import { parseBaseUrl, type Metadata } from './instance.ts';
import { scope } from './loopback.ts';
import { readTokens, type Login } from './stored-login.ts';

/** Logs in through a browser on another machine, where a code is entered (RFC 8628). */
export async function logInByDevice(
  metadata: Metadata,
  clientId: string,
  showCode: (address: string, code: string) => void,
): Promise<Login> {
  const asked = await ask(metadata.deviceAuthorizationEndpoint, { client_id: clientId, scope });
  const { device_code: deviceCode, user_code: userCode, verification_uri: address } = asked.answer;
  const { expires_in: lifetime, interval } = asked.answer;
  if (
    asked.status !== 200 ||
    typeof deviceCode !== 'string' ||
    typeof userCode !== 'string' ||
    typeof address !== 'string' ||
    typeof lifetime !== 'number' ||
    !/^[\w-]{1,32}$/.test(userCode) ||
    'problem' in parseBaseUrl(address)
  ) {
    throw new CommandError(
      'device_refused',
      `The device flow was answered ${asked.status}, ${show(asked.answer['error'])}: ${show(asked.answer['error_description'])}; expected a code to enter.`,
      'Log in without --device, or ask the administrators whether the device flow is open.',
    );
  }
  showCode(new URL(address).href, userCode);
  const endsAt = Date.now() + lifetime * 1000;
  let seconds = typeof interval === 'number' && interval > 0 ? interval : 5;
  while (Date.now() < endsAt) {
    await sleep(seconds * 1000);
    const form = { grant_type: deviceCodeGrantType, client_id: clientId, device_code: deviceCode };
    const tokens = await ask(metadata.tokenEndpoint, form);
    const { error } = tokens.answer;
    // RFC 8628, 3.5
    if (error === 'slow_down') seconds += 5;
    else if (error !== 'authorization_pending') return readTokens(tokens);
  }
  throw new CommandError(
    'login_timed_out',
    'Nobody entered the code in time.',
    'Run tessera-cli login --device again.',
  );
}
