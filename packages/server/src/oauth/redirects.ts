import { matchesRedirectUri } from '@tessera/protocol';
import type { App } from '#apps';

export type RedirectNeeds = {
  /** The deployment that answers at a host (overview.md, Hosts). */
  findDeployment: (host: string) => Promise<
    | {
        teamId: string;
        projectId: string;
        environment: string;
        git: { fork?: boolean | undefined } | undefined;
      }
    | undefined
  >;
  /** How deployments are addressed; an empty port is the protocol's own. */
  address: { protocol: string; port: string };
};

export type Redirects = ReturnType<typeof createRedirects>;

/** Where an app may be answered. */
export function createRedirects({ findDeployment, address }: RedirectNeeds) {
  const port = address.port === '' ? '' : `:${address.port}`;

  /** The host of a URI that is a selected project's: spelled exactly as its address is, with the registered path. */
  async function findProjectHost(app: App, redirectUri: string): Promise<string | undefined> {
    const host = URL.parse(redirectUri)?.hostname;
    const paths = app.redirectProjects.filter(
      ({ path }) => redirectUri === `${address.protocol}//${host}${port}${path}`,
    );
    if (host === undefined || paths.length === 0) return undefined;
    const deployment = await findDeployment(host);
    // Anybody may send a pull request: what it builds is no place to send a code to.
    if (deployment === undefined || deployment.teamId !== app.teamId || deployment.git?.fork === true) {
      return undefined;
    }
    const isSelected = paths.some(
      ({ projectId, environments }) =>
        projectId === deployment.projectId && environments.includes(deployment.environment),
    );
    return isSelected ? host : undefined;
  }

  return {
    /**
     * The app with this redirect URI among its callbacks, if it is one of a selected project's, for one request;
     * otherwise the app as it is. Asked again wherever the URI counts: a host may have moved on.
     */
    async admit(
      app: App,
      redirectUri: string | undefined,
    ): Promise<{ app: App; projectHost: string | undefined }> {
      const isListed =
        redirectUri === undefined || app.redirectUris.some((one) => matchesRedirectUri(one, redirectUri));
      const projectHost =
        isListed || app.redirectProjects.length === 0 ? undefined : await findProjectHost(app, redirectUri);
      if (projectHost === undefined || redirectUri === undefined) return { app, projectHost: undefined };
      return { app: { ...app, redirectUris: [...app.redirectUris, redirectUri] }, projectHost };
    },
  };
}
