import { styleText } from 'node:util';
import type { BaseUrls, World } from './world.ts';

/** Everything that somebody needs who tries the demo out. */
export type Demo = BaseUrls & {
  world: World;
  appUrl: string;
  identityProvider: { issuer: string; username: string; password: string };
  verifyingApiUrl: string;
  /** The deployment itself, past its protection: it has to refuse. */
  aroundTheGateway: string;
  data: string;
};

/** The one line of `--json`, in the shape that scripts rely on. */
export function formatJson({ world, ...demo }: Demo): string {
  return JSON.stringify({
    ready: true,
    origin: demo.origin,
    api: demo.api,
    oidc: demo.oidc,
    passport: demo.passport,
    connect: demo.connect,
    admin: { email: world.admin.email, password: world.admin.password },
    user: { email: world.user.email, password: world.user.password, sub: world.user.sub },
    apiToken: world.apiToken,
    team: world.team,
    project: world.project,
    app: {
      client_id: world.app.clientId,
      client_secret: world.app.clientSecret,
      redirect_uri: world.app.redirectUri,
      url: demo.appUrl,
    },
    deployment: world.deployment,
    identityProvider: { ...demo.identityProvider, connector_id: world.connectorId },
    verifyingApi: { url: demo.verifyingApiUrl },
    // No mail is sent yet, so there is no place where it is shown.
    mail: null,
  });
}

/** Where to click and with what. */
export function formatGuide({ world, ...demo }: Demo): string {
  const title = (text: string): string => styleText('bold', text);
  const facts = (rows: readonly (readonly [string, string])[]): string =>
    rows.map(([name, value]) => `   ${name.padEnd(12)}${value}`).join('\n');
  return `
${title('1. Sign in to an app')} with an account of the platform
${facts([
  ['open', demo.appUrl],
  ['e-mail', world.user.email],
  ['password', world.user.password],
])}

${title('2. Visit a protected deployment')}: sign in at the external identity provider
${facts([
  ['open', world.deployment.url],
  ['username', demo.identityProvider.username],
  ['password', demo.identityProvider.password],
  ['around it', `${demo.aroundTheGateway} refuses: no token, no visitor (docs/guides/who-is-visiting.md)`],
])}

${title('3. Trust a deployment')}: the page of 2 shows what the API said to the deployment's token
${facts([
  ['API', demo.verifyingApiUrl],
  ['issuer', `${demo.oidc}/${world.team.slug}`],
])}

${title('Administer')}
${facts([
  ['open', `${demo.origin}/account`],
  ['e-mail', world.admin.email],
  ['password', world.admin.password],
  ['API', demo.api],
  ['API token', world.apiToken],
])}

Logs are in ${demo.data}/logs. Ctrl-C ends everything; the next start begins anew.
`;
}
