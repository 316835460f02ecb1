import type { AccessPolicy } from '@tessera/contract';
import { connectAttemptPurpose, passportStartPurpose, type Attempts } from '#attempts';
import type { Audit } from '#audit';
import type { Clock } from '#clock';
import type { Codes } from '#codes';
import type { Connectors } from '#connectors';
import type { Database } from '#database';
import { publicError } from '#errors';
import { answerOf, newDoor, oauthAnswer, readForm, readQuery, type Door, type DoorContext } from '#http';
import type { Logger } from '#logger';
import { errorPage, inlinePage } from '#pages';
import type { KeptTokens, LiveTests, Providers } from '#providers';
import type { Sealing } from '#sealing';
import type { Visitors } from '#visitors';
import { endProviderSession } from './backchannel-logout.ts';
import { createBrowserBinding } from './browser.ts';
import { finishAttempt } from './callback.ts';
import { leaveProvider } from './end-session.ts';
import type { PlatformUser } from './platform.ts';
import { getAttempt } from './redeem.ts';
import { getStart, startAttempt, type Leaving } from './start.ts';
import { SignInStop } from './stop.ts';
import { finishTest, startTest } from './test-attempt.ts';
import { callbackOf } from './way.ts';

export type ConnectNeeds = {
  database: Database;
  codes: Codes;
  clock: Pick<Clock, 'offset'>;
  audit: Audit;
  attempts: Pick<Attempts, 'step'>;
  visitors: Pick<Visitors, 'endByProvider'>;
  connectors: Pick<Connectors, 'find' | 'markUsed'>;
  providers: Pick<Providers, 'redirectUriOf' | 'start' | 'finish' | 'verifyLogout'>;
  keptTokens: KeptTokens;
  sealing: Pick<Sealing, 'mac'>;
  logger: Logger;
  /** Who may enter by this connector, by the project's setting of now; undefined when nobody may any more. */
  findSetting: (
    teamId: string,
    projectId: string,
    connectorId: string,
  ) => Promise<{ policy: AccessPolicy } | undefined>;
  findUser: (userId: string) => Promise<PlatformUser | undefined>;
  /** Undefined for somebody who is not of the team now. */
  findMembership: (teamId: string, userId: string) => Promise<object | undefined>;
  /** `{origin}`: where people log in to the platform itself. */
  originUrl: string;
  /** The page where the test of a connector was begun, and its report is read. */
  testPageOf: LiveTests['pageOf'];
  finishTest: LiveTests['finish'];
  /** `{connect}`. */
  connectUrl: string;
  /** How browsers reach deployments: `http:` or `https:`, and the port, `''` for the protocol's own. */
  deployments: { protocol: string; port: string };
  /** On a deployment's host, from the wire prefix. */
  finishPath: string;
};

/** `{connect}/start`, `{connect}/callback`, those of connectors that have one of their own, and what a provider says by back-channel. Every answer is `no-store` and `no-referrer`: its URL holds a secret. */
export function createConnectDoor(needs: ConnectNeeds): Door {
  const door = newDoor(answerWithPage);
  const way = {
    ...needs,
    browser: createBrowserBinding(needs.connectUrl),
    originOf: (host: string) =>
      `${needs.deployments.protocol}//${host}${needs.deployments.port === '' ? '' : `:${needs.deployments.port}`}`,
  };

  door.use(async (context, next) => {
    await next();
    context.res.headers.set('cache-control', 'no-store');
    context.res.headers.set('referrer-policy', 'no-referrer');
  });
  door.get('/start', async (context) => {
    const found = await getStart(way, readNavigation(context).get('code'));
    const cookie = context.req.header('cookie');
    return leave(
      await (found.purpose === passportStartPurpose
        ? startAttempt(way, found, cookie)
        : startTest(way, found, cookie)),
    );
  });

  const finish = async (context: DoorContext, receivedAt: string) => {
    const parameters = new URLSearchParams([...readNavigation(context)]);
    const answer = { parameters, cookieHeader: context.req.header('cookie'), receivedAt };
    const found = await getAttempt(way, parameters.get('state'));
    return leave(
      await (found.purpose === connectAttemptPurpose
        ? finishAttempt(way, found, answer)
        : finishTest(way, found, answer)),
    );
  };
  door.get('/callback', (context) => finish(context, callbackOf(way)));
  // No connector is looked up by this path: an answer counts only where its own attempt asked for it.
  door.get('/callback/:connectorId', (context) =>
    finish(context, `${callbackOf(way)}/${context.req.param('connectorId')}`),
  );

  door.post('/end-session', async (context) => {
    const { status, headers, body } = inlinePage(await leaveProvider(way, await readForm(context)));
    return new Response(body, { status, headers });
  });

  // A provider's server asks, not a browser: nothing here looks at a cookie.
  door.post('/backchannel-logout/:connectorId', async (context) => {
    try {
      const form = await readForm(context);
      await endProviderSession(way, context.req.param('connectorId'), form, context.get('reference'));
      return context.body(null, 200);
    } catch (error) {
      context.set('failure', error);
      return oauthAnswer(error, context);
    }
  });

  return door;
}

/** HEAD would use up what only a person's visit may: link checkers send it. */
function readNavigation(context: DoorContext): ReadonlyMap<string, string> {
  if (context.req.method !== 'HEAD') return readQuery(context);
  throw publicError('method_not_allowed', {
    description: 'HEAD was received. Expected GET.',
    headers: { allow: 'GET' },
  });
}

function leave({ location, cookies }: Leaving): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
}

function answerWithPage(error: unknown, context: DoorContext): Response {
  const stop = error instanceof SignInStop ? error : undefined;
  const facts = answerOf(stop?.error ?? error);
  const page = errorPage({
    ...facts,
    mend: stop?.mendForVisitor ?? facts.mend,
    reference: stop?.reference ?? context.get('reference'),
    ...(stop?.beginAnew === undefined ? {} : { next: { href: stop.beginAnew, label: 'Begin anew' } }),
  });
  return new Response(page.body, { status: page.status, headers: page.headers });
}
