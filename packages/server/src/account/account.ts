import type { Role } from '@tessera/contract';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Credentials, SetupLinks } from '#credentials';
import type { Bound, Database, Expected } from '#database';
import { newDoor, type Door, type DoorContext } from '#http';
import type { Pages } from '#pages';
import type { Sealing } from '#sealing';
import type { Sessions } from '#sessions';
import type { Users } from '#users';
import {
  createApiTokensDoor,
  type AccountApiTokens,
  type TokenProjects,
  type TokenTeams,
} from './self/api-tokens.ts';
import { createAuthorizedAppsDoor, type AccountAuthorizedApps } from './self/authorized-apps.ts';
import { createConnectorTestsDoor, type AccountLiveTests } from './self/connector-tests.ts';
import { createBrowsers, type Browser, type EndSession } from './browsers.ts';
import { createConsentDoor, type SignIn } from './entrance/consent.ts';
import { createDesk, pageErrors } from './desk.ts';
import { createFreshness } from './self/freshness.ts';
import { createDeviceDoor, type DeviceSignIn } from './entrance/device.ts';
import { createLogoDoor, type FindLogo } from './entrance/logos.ts';
import { createLoginDoor } from './entrance/login.ts';
import { createLogoutDoor, type EndSessionRequests } from './entrance/logout.ts';
import { createPeopleDoor } from './self/people.ts';
import { createProfileDoor } from './self/profile.ts';
import { createSetupDoor } from './entrance/setup.ts';
import { createVisitorDoor, createVisits } from './entrance/visitor.ts';
import { createTeamsDoor, type AccountTeams } from './self/teams.ts';

export type AccountNeeds = {
  /** Base URLs without a trailing slash. */
  origin: string;
  api: string;
  connect: string;
  /** How browsers reach deployments. */
  deployments: { protocol: string; port: string };
  clock: Clock;
  codes: Codes;
  database: Database;
  audit: Audit;
  sealing: Sealing;
  pages: Pages;
  findLogo: FindLogo;
  users: Users;
  sessions: Sessions;
  credentials: Credentials;
  setupLinks: SetupLinks;
  teams: AccountTeams &
    TokenTeams & { addMember(teamId: string, userId: string, role: Role): Bound<unknown> | Expected };
  projects: TokenProjects;
  apiTokens: AccountApiTokens;
  authorizedApps: AccountAuthorizedApps;
  liveTests: AccountLiveTests;
  endSession: EndSession;
};

export type Account = {
  /** Who is behind a request: for the authorization endpoint, which must know it too. */
  browser(context: DoorContext): Promise<Browser>;
  /** Takes the login out of the browser; ending the session itself is the caller's business. */
  forget(context: DoorContext): void;
  /** The doors at the origin. What the authorization server lets them do arrives now: it needs `browser` first. */
  doors(authorizationServer: {
    signIn: SignIn;
    endSessionRequests: EndSessionRequests;
    deviceSignIn: DeviceSignIn;
  }): Door[];
};

export function createAccount(needs: AccountNeeds): Account {
  const { origin, api, clock, database, audit, sealing, pages, users, sessions, credentials, setupLinks } =
    needs;
  const { teams, projects, apiTokens, authorizedApps, endSession, codes, connect, deployments } = needs;
  const browsers = createBrowsers({ origin, sealing, sessions, users, endSession });
  const desk = createDesk({ origin, pages, browsers });
  const freshness = createFreshness({ clock });
  const visits = createVisits({ codes, connect, deployments });

  return {
    browser: browsers.read,
    forget: browsers.forget,
    doors: ({ signIn, endSessionRequests, deviceSignIn }) => [
      createAssetDoor(pages),
      createLogoDoor({ pages, findLogo: needs.findLogo }),
      createLoginDoor({ desk, database, audit, credentials, signIn, visits }),
      createVisitorDoor({ desk, database, codes, connect, deployments }),
      createSetupDoor({ desk, database, audit, users, credentials, setupLinks, teams }),
      createConsentDoor({ desk, signIn }),
      createLogoutDoor({ desk, endSessionRequests }),
      createDeviceDoor({ desk, deviceSignIn }),
      createProfileDoor({ desk, database, audit, users, sessions, endSession }),
      createTeamsDoor({ desk, teams }),
      createApiTokensDoor({ desk, api, apiTokens, teams, projects, freshness }),
      createAuthorizedAppsDoor({ desk, authorizedApps }),
      createConnectorTestsDoor({ desk, connect: needs.connect, liveTests: needs.liveTests }),
      createPeopleDoor({ desk, database, audit, users, setupLinks, freshness }),
    ],
  };
}

function createAssetDoor(pages: Pages): Door {
  const door = newDoor(pageErrors(pages));
  door.get('/assets/:name', (context, next) => {
    const asset = pages.findAsset(context.req.param('name'));
    if (asset === undefined) return next();
    return Promise.resolve(context.body(asset.body, 200, asset.headers));
  });
  return door;
}
