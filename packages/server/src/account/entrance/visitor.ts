import {
  connectAttemptPurpose,
  platformSignInLifetimeMilliseconds,
  platformSignInPath,
  platformSignInPurpose,
  type PlatformSignIn,
} from '#attempts';
import type { Codes } from '#codes';
import type { Database } from '#database';
import { publicError } from '#errors';
import { newDoor, readQuery, type Door } from '#http';
import { hashSecret } from '#sealing';
import { pageErrors, type Desk } from '../desk.ts';
import { formActionFor } from './destinations.ts';

/** A visitor of a protected deployment whose way goes through our own login. */
export type Visits = {
  /** Where a login that comes back to this path goes on to; undefined for every other path. */
  describe(returnPath: string | undefined): Promise<{ host: string; formAction: string[] } | undefined>;
};

type VisitorNeeds = {
  codes: Codes;
  /** `{connect}`. */
  connect: string;
  /** How browsers reach deployments: `http:` or `https:`, and the port, `''` for the protocol's own. */
  deployments: { protocol: string; port: string };
};

const stateForm = /^[\w-]{43}$/;

export function createVisits({ codes, deployments }: VisitorNeeds): Visits {
  return {
    async describe(returnPath) {
      if (returnPath?.startsWith(`${platformSignInPath}?`) !== true) return undefined;
      const state = new URLSearchParams(returnPath.slice(platformSignInPath.length + 1)).get('state') ?? '';
      const found = await codes.find<{ host: string }>(connectAttemptPurpose, state);
      if (found?.state !== 'live') return undefined;
      const { host } = found.payload;
      const port = deployments.port === '' ? '' : `:${deployments.port}`;
      return { host, formAction: formActionFor(`${deployments.protocol}//${host}${port}`) };
    },
  };
}

/**
 * `{origin}/login/visitor`: says to `{connect}/callback` who is logged in here. The code that says so is for the one
 * attempt whose state came along, and counts only in the browser that began it: brought to another browser by a
 * stranger's link, it is refused there.
 */
export function createVisitorDoor({
  desk,
  database,
  codes,
  connect,
}: VisitorNeeds & { desk: Desk; database: Database }): Door {
  const door = newDoor(pageErrors(desk.pages));

  door.get(platformSignInPath, async (context) => {
    if (context.req.method !== 'GET') throw publicError('method_not_allowed', { headers: { allow: 'GET' } });
    const state = readQuery(context).get('state') ?? '';
    const found = stateForm.test(state) ? await codes.find(connectAttemptPurpose, state) : undefined;
    if (found === undefined) throw publicError('sign_in_unknown');
    if (found.state !== 'live')
      throw publicError(found.state === 'used' ? 'sign_in_used' : 'sign_in_expired');
    const login = await desk.requireLogin(context);
    if ('response' in login) return login.response;
    const { secret, statement } = codes.issue<PlatformSignIn>(
      platformSignInPurpose,
      { stateHash: hashSecret(state), userId: login.browser.user.id },
      platformSignInLifetimeMilliseconds,
    );
    await database.write([statement]);
    const answer = new URLSearchParams({ state, code: secret });
    context.header('referrer-policy', 'no-referrer');
    context.header('cache-control', 'no-store');
    return context.redirect(`${connect}/callback?${answer.toString()}`, 303);
  });

  return door;
}
