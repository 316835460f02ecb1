import { isEntraHost, isOktaHost, type Connector } from '#connectors';

const entraIssuer = 'https://login.microsoftonline.com/YOUR_TENANT_ID/v2.0';

/** Where people usually have to go who gave this issuer, and got no discovery document. */
export function mendOf({ issuer, type }: Pick<Connector, 'issuer' | 'type'>): string {
  const { hostname, host, pathname, origin } = new URL(issuer);
  const isBare = pathname === '/' || pathname === '';
  if (isOktaHost(hostname)) {
    return isBare
      ? `Give the authorization server's issuer, not the bare domain: https://${host}/oauth2/default.`
      : 'Copy the issuer of the authorization server from Security, API in the Okta admin console; https://your_okta_domain.okta.com/oauth2/default is the usual one.';
  }
  if (isEntraHost(hostname)) return `Give the issuer of your tenant: ${entraIssuer}.`;
  if (/(^|\.)google\.com$/.test(hostname))
    return 'Give https://accounts.google.com, without a slash at its end.';
  if (hostname === 'github.com' || hostname === 'api.github.com') {
    return 'GitHub signs people in by OAuth 2.0 alone: say type "oauth2", issuer https://github.com, and type its endpoints by hand.';
  }
  if (pathname.startsWith('/auth/realms/')) {
    return `Keycloak dropped /auth with version 17: try ${origin}${pathname.slice('/auth'.length)}.`;
  }
  if (pathname.startsWith('/realms/')) {
    return `Check the name of the realm, which is case-sensitive; a Keycloak before version 17 has ${origin}/auth${pathname}.`;
  }
  if (type === 'oauth2') return 'Type the endpoints by hand: many OAuth 2.0 providers publish no metadata.';
  if (isBare) {
    return "Give the authorization server's issuer, not the bare domain: for Okta https://your_okta_domain.okta.com/oauth2/default, for Keycloak https://your_host/realms/your_realm, for authentik https://your_host/application/o/your_application/.";
  }
  return 'Check the path of the issuer, or type the endpoints by hand.';
}

/** What to enter when the document names another issuer than the one that was asked for. */
export function mendOfOtherIssuer(issuer: string, received: string, shown: string): string {
  const asked = new URL(issuer);
  const named = URL.parse(received);
  if (received.includes('{tenantid}')) return `Give the issuer of your tenant: ${entraIssuer}.`;
  if (named?.hostname === 'sts.windows.net') {
    return `Give the issuer with /v2.0 at its end: https://${asked.host}${named.pathname.replace(/\/$/, '')}/v2.0.`;
  }
  return named?.host === asked.host
    ? `Enter "${shown}" as the issuer, with just this path and trailing slash.`
    : `Check whether "${shown}" is the issuer you mean; if so, enter it.`;
}
