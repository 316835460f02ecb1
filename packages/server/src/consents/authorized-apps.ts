import type { Audit } from '#audit';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import type { Consent, Consents } from './consent-store.ts';

/** An app that may sign a person in, or act for them. Times are milliseconds since the epoch. */
export type AuthorizedApp = {
  appId: string;
  name: string;
  logo: string | undefined;
  teamName: string | undefined;
  verified: boolean;
  allowed: readonly Consent[];
  /** When it last got a token; undefined: it holds none. */
  lastUsedAt: number | undefined;
};

export type AuthorizedAppsNeeds = {
  database: Pick<Database, 'write'>;
  audit: Pick<Audit, 'record'>;
  consents: Consents;
  describeApp: (appId: string) => Promise<
    | {
        name: string;
        logo: string | undefined;
        teamId: string;
        teamName: string | undefined;
        verified: boolean;
      }
    | undefined
  >;
  listClientsOfPerson: (userId: string) => Promise<readonly { clientId: string; lastUsedAt: number }[]>;
  /** The end of all tokens that an app holds of a person. */
  endOfPerson: (userId: string, appId: string) => readonly Bound<unknown>[];
};

export type AuthorizedApps = ReturnType<typeof createAuthorizedApps>;

/** What a person allowed, app by app, and how they take it back. */
export function createAuthorizedApps(needs: AuthorizedAppsNeeds) {
  const { consents } = needs;

  async function list(userId: string): Promise<AuthorizedApp[]> {
    const [given, holders] = await Promise.all([
      consents.listOfUser(userId),
      needs.listClientsOfPerson(userId),
    ]);
    // First-party apps ask nobody, and hold tokens all the same.
    const ids = [
      ...new Set([...given.map(({ appId }) => appId), ...holders.map(({ clientId }) => clientId)]),
    ];
    const apps = await Promise.all(
      ids.map(async (appId) => {
        const app = await needs.describeApp(appId);
        if (app === undefined) return undefined;
        return {
          appId,
          name: app.name,
          logo: app.logo,
          teamName: app.teamName,
          verified: app.verified,
          allowed: given.filter((consent) => consent.appId === appId),
          lastUsedAt: holders.find(({ clientId }) => clientId === appId)?.lastUsedAt,
        };
      }),
    );
    return apps.filter((app) => app !== undefined);
  }

  return {
    list,

    /**
     * Takes back all that a person allowed an app: it asks anew next time, and its tokens end in the same unit. Throws
     * `not_found` for an app that they never allowed anything.
     */
    async revoke(userId: string, appId: string, reference: string): Promise<void> {
      const app = (await list(userId)).find((one) => one.appId === appId);
      if (app === undefined) {
        throw publicError('not_found', { description: 'You have not allowed an app of this id anything.' });
      }
      await needs.database.write([
        consents.delete(userId, appId),
        ...needs.endOfPerson(userId, appId),
        needs.audit.record({
          actor: userId,
          action: 'consent.revoke',
          object: appId,
          teamId: (await needs.describeApp(appId))?.teamId,
          before: app.allowed.map(({ scopes, teamId, host }) => ({ scopes, teamId, host })),
          reference,
        }),
      ]);
    },
  };
}
