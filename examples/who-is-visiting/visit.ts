import { getOidcToken } from '@tessera/oidc';
import { getIdentity, PassportError } from '@tessera/passport';
import { decodeJwt } from 'jose';
import { escapeHtml, renderFacts, renderPage } from '../page.ts';

export type VisitSettings = {
  /** `{passport}/{team slug}`: who signs the visitor's token. */
  issuer: string;
  /** `{origin}/{team slug}/{project name}/{environment}`: for whom it is signed. */
  audience: string;
};

/**
 * A page that says who is visiting and which workload answers. It takes no request: the adapter of the server has
 * set the request context, which both packages read.
 */
export async function answerVisit(settings: VisitSettings): Promise<{ status: number; page: string }> {
  try {
    const identity = await getIdentity(undefined, settings);
    if (identity === null) return { status: 401, page: renderPage('Nobody has signed in', '') };
    // Our own token, to be shown to others: an API that trusts this deployment, or a cloud.
    const workload = decodeJwt(await getOidcToken());
    const facts = {
      external_sub: identity.externalSub,
      name: identity.name ?? '(not given)',
      email: identity.email ?? '(not given)',
      groups: identity.claims['groups'] ?? [],
      workload: workload.sub,
    };
    return { status: 200, page: renderPage('Who is visiting', renderFacts(facts)) };
  } catch (error) {
    if (!(error instanceof PassportError)) throw error;
    // Whoever comes here around the gateway may have written the header themselves.
    const page = renderPage('Not through the gateway', `<p id="problem">${escapeHtml(error.code)}</p>`);
    return { status: 403, page };
  }
}
