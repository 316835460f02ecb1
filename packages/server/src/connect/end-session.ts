import { passportEndSessionPurpose, type PassportEndSession } from '#attempts';
import { html } from 'hono/html';
import { publicError } from '#errors';
import type { Layout } from '#pages';
import type { Way } from './way.ts';

/**
 * OpenID Connect RP-Initiated Logout 1.0 section 2: brings a visitor who has signed out here to their provider, to sign
 * out there too. By GET, since a POST from another site comes without the provider's cookies; by a page, since a
 * browser holds the redirects of a form against the policy of the page that it stood on. No way back: it would be one
 * more address to register at every provider.
 *
 * @throws {PublicError} `sign_in_unknown`, `sign_in_used`, `sign_in_expired`
 */
export async function leaveProvider(way: Way, form: ReadonlyMap<string, string>): Promise<Layout> {
  const code = form.get('code');
  const found =
    code === undefined
      ? undefined
      : await way.codes.find<PassportEndSession>(passportEndSessionPurpose, code);
  if (code === undefined || found === undefined) throw publicError('sign_in_unknown');
  const { connectorId, externalSub, providerTokens } = found.payload;
  const outcome = await way.database.tryWrite([way.codes.redeem(passportEndSessionPurpose, code)]);
  if (!outcome.committed) throw publicError(found.state === 'expired' ? 'sign_in_expired' : 'sign_in_used');
  const connector = await way.connectors.find(connectorId);
  const { idToken } = connector
    ? await way.keptTokens.open({ connectorId, externalSub }, providerTokens, connector)
    : {};
  // No token: the connector has moved, and whoever is there now is not who signed the visitor in.
  if (connector?.endSessionEndpoint === undefined || idToken === undefined) {
    throw publicError('not_found', {
      description: 'This identity provider cannot be signed out of from here.',
    });
  }
  const url = new URL(connector.endSessionEndpoint);
  url.searchParams.set('id_token_hint', idToken);
  url.searchParams.set('client_id', connector.clientId);
  return {
    title: 'Sign out at your identity provider',
    headers: { refresh: `0; url=${url.href}` },
    body: html`<article class="card">
      <h1>Sign out at your identity provider</h1>
      <p>You are being brought to <span class="mono">${url.host}</span>.</p>
      <p><a id="end-session-continue" class="button primary" href="${url.href}">Continue</a></p>
    </article>`,
  };
}
