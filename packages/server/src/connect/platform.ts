import { platformSignInPath, platformSignInPurpose, type PlatformSignIn, type Principal } from '#attempts';
import { equalInConstantTime, hashSecret } from '#sealing';
import { SignInStop, type SignInStep } from './stop.ts';
import type { ConnectAttempt, Way } from './way.ts';

/** What a deployment gets to know of a person with an account here. */
export type PlatformUser = {
  readonly id: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly name: string | undefined;
  readonly disabledAt: number | undefined;
};

/** Our own login page, which comes back to the callback as any identity provider does. */
export function platformLocation({ originUrl }: Pick<Way, 'originUrl'>, state: string): string {
  return `${originUrl}${platformSignInPath}?state=${state}`;
}

/**
 * Who is logged in at the origin, by the code that our own login made for this attempt. The code is used up whatever
 * comes of it. Only members of the deployment's team get any further.
 *
 * @throws SignInStop at step `authorization` or `policy`
 */
export async function findPlatformPrincipal(
  way: Way,
  attempt: ConnectAttempt,
  answer: {
    parameters: URLSearchParams;
    state: string;
    passed: (step: SignInStep, detail: string) => void;
    at: { reference: string; beginAnew: string };
  },
): Promise<Principal> {
  const { parameters, state, passed, at } = answer;
  const code = parameters.get('code');
  const found = code === null ? undefined : await way.codes.find<PlatformSignIn>(platformSignInPurpose, code);
  const fits = found?.state === 'live' && equalInConstantTime(found.payload.stateHash, hashSecret(state));
  const redeemed =
    code !== null &&
    fits &&
    (await way.database.tryWrite([way.codes.redeem(platformSignInPurpose, code)])).committed;
  if (!redeemed) {
    throw new SignInStop('authorization', 'sign_in_failed', {
      ...at,
      description:
        'Received an answer that our own login did not give to this sign-in, or gave too long ago.',
      mend: 'Begin anew.',
    });
  }
  const user = await way.findUser(found.payload.userId);
  if (user === undefined || user.disabledAt !== undefined) {
    throw new SignInStop('authorization', 'sign_in_denied', {
      ...at,
      description: 'The account that was logged in cannot be used any more.',
      mend: 'Ask whoever runs this instance.',
    });
  }
  passed('authorization', `Logged in here as ${user.email}.`);
  if ((await way.findMembership(attempt.teamId, user.id)) === undefined) {
    throw new SignInStop('policy', 'sign_in_denied', {
      ...at,
      description: `You are logged in as ${user.email}. Expected a member of the team that this deployment belongs to.`,
      mend: `Ask the team to make you a member, and give them the reference. If you have another account, log out at ${way.originUrl}/account and begin anew.`,
    });
  }
  return {
    externalSub: user.id,
    externalIss: way.originUrl,
    email: user.email,
    emailVerified: user.emailVerified,
    ...(user.name === undefined ? {} : { name: user.name }),
    claims: {},
  };
}
