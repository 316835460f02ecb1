import { Readable } from 'node:stream';
import { randomBytes } from 'node:crypto';
import { passwordConnectorId } from '@tessera/protocol';
import type { Bound } from '#database';
import { publicError } from '#errors';
import { readBytes } from '#http';
import { endSiteOf } from '#limits';
import { QueueFull } from '#passwords';
import type { Layout } from '#pages';
import { equalInConstantTime, hashSecret } from '#sealing';
import { GatewayError, isNavigation } from '../answers.ts';
import { findEntranceOf } from '../facts.ts';
import type { GatewayNeeds, Site } from '../needs.ts';
import type { RequestCookies } from '../request/cookies.ts';
import { valueOf } from '../request/header-list.ts';
import type { RequestHost } from '../request/host.ts';
import type { SentRequest } from '../request/sent-request.ts';
import { findKnownBrowser, knownBrowserCookie } from './known-browser.ts';
import type { OwnCookies } from './own-cookies.ts';
import { passwordPage, type PasswordProblem } from './password-page.ts';
import { signInRequired } from './start.ts';
import type { PassportTokens } from './tokens.ts';

export type PasswordNeeds = Pick<
  GatewayNeeds,
  'attempts' | 'audit' | 'clock' | 'database' | 'limits' | 'sealing' | 'visitors' | 'visitPasswords' | 'wire'
> & { tokens: PassportTokens; ownCookies: OwnCookies };

type At = {
  host: RequestHost;
  site: Site;
  cookies: RequestCookies;
  query: string;
  clientAddress: string;
  reference: string;
  /** The visitor may pass already. */
  passes: boolean;
};

type Leaving = { readonly location: string; readonly cookies: readonly string[] };
type Answer = Leaving | { readonly page: Layout };

/** Where a visitor was going, and in which browser: what the form carries, so that nothing of it is kept by us. */
type Way = {
  readonly host: string;
  readonly path: string;
  readonly bindingHash: string;
  readonly expiresAt: number;
};

const longestPath = 2_048;
const wayMilliseconds = 30 * 60_000;
const sessionSeconds = 7 * 24 * 60 * 60;
const formBytes = 16 * 1024;
const mostCharacters = 72;

const minute = 60_000;
/**
 * Wrong passwords. One visitor: somebody who has forgotten. One network over all projects: somebody who collects. One
 * project from everywhere: a botnet, against which a short password has nothing else. A network is all that one line
 * has, so that none alone closes the page to everybody.
 */
const tries = [
  { name: 'visit-password', limit: 10, window: 15 * minute },
  { name: 'visit-password-network', limit: 60, window: 15 * minute },
  { name: 'visit-password-project', limit: 100, window: 15 * minute },
] as const;
/** Instead, of a browser that has given this password before: whoever knows it learns nothing by more tries. */
const triesOfKnown = { name: 'visit-password-known', limit: 10, window: 15 * minute };

/**
 * Sends a visitor to the page that asks for the password. Nothing is written for that: whoever knocks without end makes
 * us nothing but tell them the way. What is not a navigation gets 401.
 *
 * @throws {GatewayError} `sign_in_required`
 */
export function startPassword(
  needs: PasswordNeeds,
  request: SentRequest,
  at: { host: RequestHost; cookies: RequestCookies; path: string; because: string },
): Leaving {
  const path = at.path.length > longestPath ? '/' : at.path;
  if (!isNavigation(request)) {
    const page = request.method === 'GET' || request.method === 'HEAD' ? path : '/';
    throw signInRequired(at.host, page, at.because, request.method);
  }
  const { hash, headers } = needs.ownCookies.bindAttempt(at.cookies);
  const way = formatWay(needs, {
    host: at.host.name,
    path,
    bindingHash: hash,
    expiresAt: needs.clock.now() + wayMilliseconds,
  });
  return { location: `${at.host.origin}${needs.wire.passwordPath}?to=${way}`, cookies: headers };
}

/**
 * The page that asks, and what it is answered with: the right password becomes a session at this host, without anybody
 * being named.
 *
 * @throws {PublicError | GatewayError} `cross_origin`, `form_expired`, `request_not_forwarded`, `unsupported_media_type`
 */
export async function answerPassword(needs: PasswordNeeds, request: SentRequest, at: At): Promise<Answer> {
  switch (request.method ?? '') {
    case 'GET':
    case 'HEAD': {
      const text = readOne(at.query, 'to');
      const way = parseWay(needs, at, text);
      return goOn(at, way.path) ?? { page: pageOf(needs, at, text ?? '') };
    }
    case 'POST':
      validateOrigin(request, at.host);
      return tryPassword(needs, request, at);
    default:
      throw publicError('request_not_forwarded', { headers: { allow: 'GET, HEAD, POST' } });
  }
}

async function tryPassword(needs: PasswordNeeds, request: SentRequest, at: At): Promise<Answer> {
  const form = await readForm(request);
  const text = readOne(form, 'to');
  const password = readOne(form, 'password') ?? '';
  const way = parseWay(needs, at, text);
  const on = goOn(at, way.path);
  if (on !== undefined) return on;
  const again = (problem: PasswordProblem): Answer => ({ page: pageOf(needs, at, text ?? '', problem) });

  const { site } = at;
  // Before the try is counted: whoever ends the sessions after this also ends the one that this password makes.
  const known = await needs.visitPasswords.find(site.team.id, site.project.id);
  const counted = await count(needs, at, findKnownBrowser(needs, request, at));
  if ('problem' in counted) return again(counted.problem);
  const { reference, statement: attempt } = needs.attempts.begin({
    kind: 'passport',
    teamId: site.team.id,
    projectId: site.project.id,
    deploymentId: site.deployment.id,
    connectorId: passwordConnectorId,
  });
  let matches: boolean;
  try {
    matches = await isPassword(needs, known?.hash, password);
  } catch (error) {
    if (!(error instanceof QueueFull)) throw error;
    await needs.database.write(counted.giveBack);
    return again({
      status: 503,
      meaning: 'warning',
      title: 'Too many people are at this door right now',
      text: 'Nothing is wrong with what you wrote. Try again in a few seconds.',
      reference: at.reference,
      headers: { 'retry-after': '2' },
    });
  }
  if (!matches) {
    const step = needs.attempts.step(reference, {
      step: 'password',
      outcome: 'failed',
      detail: `Received another password than the one of this project, for ${at.host.name}. Ask the team for the password.`,
    });
    await needs.database.write([attempt, step]);
    return again({
      status: 422,
      meaning: 'danger',
      title: 'That is not the password',
      text: 'Capitals and small letters differ, and spaces count. Try again, or ask whoever sent you here.',
      reference,
    });
  }
  const statements = [attempt, ...counted.giveBack];
  const entered = await enter(needs, at, way, { reference, statements, answeredAt: known?.foundAt ?? 0 });
  if (entered !== undefined) return entered;
  const step = needs.attempts.step(reference, {
    step: 'session',
    outcome: 'failed',
    detail:
      'The sessions of this deployment were ended while the password was looked at. Enter it once more.',
  });
  await needs.database.write([...statements, step]);
  return again({
    status: 409,
    meaning: 'warning',
    title: 'Everybody was signed out just now',
    text: 'The password is right, and was given before that. Enter the password once more.',
    reference,
  });
}

/** Makes the session, in one unit with what is told of it; undefined when such sessions were ended meanwhile. */
async function enter(
  needs: PasswordNeeds,
  at: At,
  way: Way,
  begun: { reference: string; statements: readonly Bound<unknown>[]; answeredAt: number },
): Promise<Leaving | undefined> {
  const { host, site } = at;
  const companion = randomBytes(32).toString('base64url');
  const { session, statements } = needs.visitors.create({
    teamId: site.team.id,
    projectId: site.project.id,
    environment: site.deployment.environment,
    deploymentId: site.deployment.id,
    host: host.name,
    connectorId: passwordConnectorId,
    externalSub: 'password',
    externalIss: host.origin,
    externalSid: undefined,
    // The one that was in force when the password was looked at: a change in between leaves an old one here.
    claims: { password_version: site.project.protection.passwordProtection?.version },
    providerTokens: undefined,
    answeredAt: begun.answeredAt,
    companionHash: hashSecret(companion),
    lifetimeSeconds: sessionSeconds,
  });
  const token = await needs.tokens.signSession(session, site);
  const cookies = needs.ownCookies.setSession(token, companion, sessionSeconds, at.cookies);
  if (cookies === undefined) throw new Error('a session without any claims does not fit into its cookies');
  const { reference } = begun;
  const outcome = await needs.database.tryWrite([
    ...begun.statements,
    ...statements,
    needs.attempts.step(reference, { step: 'password', outcome: 'ok', detail: 'The password is right.' }),
    needs.attempts.step(reference, {
      step: 'session',
      outcome: 'ok',
      detail: `A session of ${sessionSeconds} s at ${host.name}.`,
    }),
    needs.audit.record({
      actor: passwordConnectorId,
      action: 'passport-session.create',
      object: session.id,
      teamId: site.team.id,
      after: { host: host.name, projectId: site.project.id, connectorId: passwordConnectorId },
      reference,
    }),
  ]);
  if (!outcome.committed) return undefined;
  return {
    location: host.origin + way.path,
    cookies: [
      ...cookies,
      knownBrowserCookie(needs, host, site),
      ...needs.ownCookies.endAttempt(at.cookies, way.bindingHash),
    ],
  };
}

/** Counts the try before the password is looked at; only wrong ones stay counted. */
async function count(
  { database, limits }: PasswordNeeds,
  at: At,
  knownBrowser: string | undefined,
): Promise<{ giveBack: readonly Bound<unknown>[] } | { problem: PasswordProblem }> {
  if (knownBrowser !== undefined) {
    const { name, limit, window } = triesOfKnown;
    const own = await database.tryWrite([limits.count(name, knownBrowser, limit, window)]);
    if (own.committed) return { giveBack: [limits.giveBack(name, knownBrowser)] };
    // From here on it is a browser like any other: a sibling host may have given it a cookie that many have.
  }
  const network = endSiteOf(at.clientAddress);
  const projectId = at.site.project.id;
  const keys = [JSON.stringify([projectId, network]), network, projectId] as const;
  const outcome = await database.tryWrite(
    tries.map(({ name, limit, window }, index) => limits.count(name, keys[index] ?? '', limit, window)),
  );
  if (outcome.committed) {
    return { giveBack: tries.map(({ name }, index) => limits.giveBack(name, keys[index] ?? '')) };
  }
  const { window } = tries[outcome.refusedAt] ?? tries[0];
  return {
    problem: {
      status: 429,
      meaning: 'warning',
      title: 'Too many wrong passwords',
      text: `Wait up to ${window / minute} minutes, then try again.`,
      reference: at.reference,
      headers: { 'retry-after': String(window / 1000) },
    },
  };
}

/** Whether this is the project's password, compared exactly as it came. One that is too long to be it costs nothing. */
async function isPassword(
  { visitPasswords }: PasswordNeeds,
  hash: string | undefined,
  password: string,
): Promise<boolean> {
  if (password === '' || Array.from(password).length > mostCharacters) return false;
  return (await visitPasswords.verify(password, hash)).matches;
}

/** Away from here, where nobody is asked for a password (any more). */
function goOn({ host, site, passes }: At, path: string): Leaving | undefined {
  return passes || findEntranceOf(site)?.by !== 'password'
    ? { location: host.origin + path, cookies: [] }
    : undefined;
}

function pageOf(needs: PasswordNeeds, at: At, way: string, problem?: PasswordProblem): Layout {
  return passwordPage({
    host: at.host,
    action: needs.wire.passwordPath,
    way,
    formAction: at.host.origin.startsWith('https:')
      ? ['https:']
      : ['https:', 'http://localhost:*', 'http://*.localhost:*', 'http://127.0.0.1:*'],
    problem,
  });
}

function formatWay({ sealing }: Pick<PasswordNeeds, 'sealing'>, way: Way): string {
  const text = Buffer.from(JSON.stringify(way)).toString('base64url');
  return `${text}.${sealing.mac('password-way', text)}`;
}

/**
 * The way that we gave to this browser for this host.
 *
 * @throws {GatewayError} `form_expired`, which leads to the deployment's first page and from there to a new way
 */
function parseWay({ sealing, clock, ownCookies }: PasswordNeeds, at: At, sent: string | undefined): Way {
  const [text = '', mac = '', more] = (sent ?? '').split('.');
  const refuse = (description: string) =>
    new GatewayError(publicError('form_expired', { description, mend: 'Open the page anew.' }), {
      next: { href: `${at.host.origin}/`, label: 'Open the page' },
    });
  if (more !== undefined || !equalInConstantTime(sealing.mac('password-way', text), mac)) {
    throw refuse('Received a form that was not made here.');
  }
  const way = JSON.parse(Buffer.from(text, 'base64url').toString()) as Way;
  if (way.host !== at.host.name) throw refuse('Received a form of another deployment.');
  if (way.expiresAt <= clock.now()) throw refuse('The form was open for more than half an hour.');
  if (!ownCookies.isBound(at.cookies, way.bindingHash)) {
    throw refuse('The form was made for another browser, or this one keeps no cookies.');
  }
  return way;
}

/** A form that another site sends would sign its visitors in where that site wants them. */
function validateOrigin({ rawHeaders }: SentRequest, host: RequestHost): void {
  const origin = valueOf(rawHeaders, 'origin');
  const from = valueOf(rawHeaders, 'sec-fetch-site');
  if (origin !== undefined ? origin === host.origin : from === 'same-origin') {
    if (from === undefined || from === 'same-origin') return;
  }
  throw publicError('cross_origin', {
    description: 'The password was sent from another site, or by a program that does not say from where.',
  });
}

async function readForm(request: SentRequest): Promise<string> {
  const type = (valueOf(request.rawHeaders, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const body = request instanceof Readable ? request : request.body;
  if (type !== 'application/x-www-form-urlencoded' || body === undefined) {
    throw publicError('unsupported_media_type', {
      description: `The body has the type '${type ?? ''}'. Expected the form of the page that asks for the password.`,
    });
  }
  return (await readBytes(body, formBytes)).toString();
}

/** The value of a parameter that is there once. */
function readOne(parameters: string, name: string): string | undefined {
  const values = new URLSearchParams(parameters).getAll(name);
  return values.length === 1 ? values[0] : undefined;
}
