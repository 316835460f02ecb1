import { getOidcToken } from '@tessera/oidc';
import { getIdentity as getOurIdentity } from '@tessera/passport';
import { getVercelOidcToken } from '@vercel/oidc';
import { getIdentity } from '@vercel/passport';

export const dynamic = 'force-dynamic';

const describe = (asking) => asking.catch((error) => ({ error: String(error) }));

export async function GET() {
  const [identity, ours, workload, ourWorkload] = await Promise.all([
    describe(getIdentity()),
    describe(getOurIdentity()),
    describe(getVercelOidcToken()),
    describe(getOidcToken()),
  ]);
  return Response.json({ identity, ours, workload, same: workload === ourWorkload });
}
