import { tokenRequest } from '../client.ts';
import type { Figure } from '../figure.ts';
import { startSignatures } from '../others.ts';
import { askAnew, compareSides } from '../rounds.ts';
import { createSignIn, startWorld, type SignIn } from '../sign-in.ts';

const scope = 'openid profile email';
const codesEachRound = 2_000;

/**
 * Redeems codes for an access token and an ID token: signed with RS256 against the signatures that the machine can
 * make, and with ES256 against RS256. Both kinds are asked of one process.
 */
export const codeExchange: Figure = async (say) => {
  const [ours, signatures] = [await startWorld(say), await startSignatures()];
  const redeem = ({ client, issueCodeBodies }: SignIn) =>
    askAnew(async () => ({
      ...tokenRequest(`${ours.urls.api}/login/oauth/token`, client),
      bodies: await issueCodeBodies(codesEachRound),
    }));
  const rs256 = await createSignIn(ours.urls, ours.world, scope, { idTokenSignedResponseAlg: 'RS256' });
  const es256 = await createSignIn(ours.urls, ours.world, scope, { idTokenSignedResponseAlg: 'ES256' });
  return compareSides(
    'code-exchange',
    { name: 'tessera, SQLite, RS256', server: ours.server, measure: redeem(rs256) },
    [
      { name: 'RSA-2048 signatures, all cores', ...signatures, atLeast: 0.8 },
      {
        name: 'tessera, SQLite, ES256, by RS256',
        server: ours.server,
        measure: redeem(es256),
        atLeast: 3,
        reversed: true,
      },
    ],
    say,
  );
};
