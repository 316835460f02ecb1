import { isValidName } from '@tessera/protocol';
import { decodeJwt, type JWTPayload } from 'jose';
import { TokenRefused, type Keys } from '#keys';
import { isFork } from './policy/mint-policy.ts';

/** The claims of a workload token that decisions rest on, as they were signed. */
export type VerifiedWorkload = JWTPayload & {
  iss: string;
  sub: string;
  aud: string;
  jti: string;
  iat: number;
  exp: number;
  owner: string;
  owner_id: string;
  project: string;
  project_id: string;
  environment: string;
  deployment_id?: string;
  user_id?: string;
};

/** Whether a token is of the build of a fork: by what it says of itself, in the words of the mint. */
export function isForkToken({ git_fork: fork, git_pull_request: pullRequest }: JWTPayload): boolean {
  return isFork({
    fork: typeof fork === 'boolean' ? fork : undefined,
    pullRequest: typeof pullRequest === 'number' ? pullRequest : undefined,
  });
}

/**
 * Verifies a workload token of ours: the keys of this purpose alone, its `typ`, and an issuer that is exactly the one
 * for all or that of the team in its own claims. Whom it is for is the caller's question.
 *
 * @throws {TokenRefused}
 */
export async function verifyWorkloadToken(
  { keys, oidc }: { keys: Pick<Keys, 'verify'>; oidc: string },
  token: string,
): Promise<VerifiedWorkload> {
  const owner = readOwner(token);
  const claims = await keys.verify(token, {
    purpose: 'workload',
    type: 'JWT',
    issuer: owner === undefined ? oidc : [oidc, `${oidc}/${owner}`],
    audience: undefined,
  });
  if (!isWorkload(claims)) throw new TokenRefused('claims', 'The token is not one of a workload.');
  return claims;
}

/** Unverified: it only says which of our issuers is expected. */
function readOwner(token: string): string | undefined {
  try {
    const { owner } = decodeJwt(token);
    return typeof owner === 'string' && isValidName(owner) ? owner : undefined;
  } catch {
    return undefined;
  }
}

const texts = [
  'iss',
  'sub',
  'aud',
  'jti',
  'owner',
  'owner_id',
  'project',
  'project_id',
  'environment',
] as const;

function isWorkload(claims: JWTPayload): claims is VerifiedWorkload {
  return (
    texts.every((name) => typeof claims[name] === 'string') &&
    (['deployment_id', 'user_id'] as const).every((name) =>
      ['string', 'undefined'].includes(typeof claims[name]),
    )
  );
}
