import { html } from 'hono/html';
import type { Role } from '@tessera/contract';
import type { Audit } from '#audit';
import { type Credentials, type SetupLinks, type SetupPurpose } from '#credentials';
import type { Bound, Database, Expected } from '#database';
import { publicError } from '#errors';
import { newDoor, readQuery, type Door, type DoorContext } from '#http';
import { button, field, hiddenFields, notice } from '#pages';
import { emailProblem, personNameProblem, type Users } from '#users';
import type { Browser } from '../browsers.ts';
import { pageErrors, type Desk } from '../desk.ts';
import { words } from '../words.ts';

type Filled = { name: string; email: string };
type Problems = { name?: string | undefined; email?: string | undefined; password?: string | undefined };

/** How often a unit that lost a race for a username is tried again. */
const attempts = 3;

export function createSetupDoor(needs: {
  desk: Desk;
  database: Database;
  audit: Audit;
  users: Users;
  credentials: Credentials;
  setupLinks: SetupLinks;
  teams: { addMember(teamId: string, userId: string, role: Role): Bound<unknown> | Expected };
}): Door {
  const { desk, database, audit, users, credentials, setupLinks, teams } = needs;
  const door = newDoor(pageErrors(desk.pages));

  /** What a link is for. Throws when it is unknown, used or expired. */
  async function purposeOf(token: string | undefined): Promise<SetupPurpose> {
    const found = token === undefined ? undefined : await setupLinks.find(token);
    if (found === undefined) throw publicError('setup_link_unknown');
    if (found.state !== 'live') throw publicError(`setup_link_${found.state}`);
    if (found.purpose.kind === 'administrator' && (await users.hasAny()))
      throw publicError('setup_link_used');
    return found.purpose;
  }

  function page(
    browser: Browser,
    token: string,
    purpose: SetupPurpose,
    filled: Filled,
    problems: Problems = {},
  ) {
    const isFirst = purpose.kind === 'administrator';
    const title = isFirst ? words.setup.administratorTitle : words.setup.invitationTitle;
    const isRefused = Object.values(problems).some(Boolean);
    const focused = (['name', 'email', 'password'] as const).find((name) => problems[name]) ?? 'name';
    return desk.pages.page({
      title,
      status: isRefused ? 422 : 200,
      body: html`<div class="card">
        <h1>${title}</h1>
        <p class="quiet">${isFirst ? words.setup.administratorAbout : words.setup.invitationAbout}</p>
        ${isRefused ? notice('danger', words.setup.refusedTitle) : ''}
        <form id="set-up" method="post" action="${desk.at('/setup')}?token=${encodeURIComponent(token)}">
          ${hiddenFields({ csrf: browser.csrfToken('set-up') })}
          ${field({
            name: 'name',
            label: words.setup.name,
            value: filled.name,
            autocomplete: 'name',
            maxlength: 100,
            problem: problems.name,
            autofocus: focused === 'name',
          })}
          ${field({
            name: 'email',
            label: words.setup.email,
            type: 'email',
            value: filled.email,
            autocomplete: 'username',
            problem: problems.email,
            autofocus: focused === 'email',
            ...(isFirst ? {} : { readonly: true, hint: words.setup.emailFixed }),
          })}
          ${field({
            name: 'password',
            label: words.setup.password,
            type: 'password',
            autocomplete: 'new-password',
            hint: words.setup.passwordHint,
            problem: problems.password,
            autofocus: focused === 'password',
          })}
          ${button({ id: 'set-up-submit', label: words.setup.submit })}
        </form>
      </div>`,
    });
  }

  door.get('/setup', async (context) => {
    const token = readQuery(context).get('token');
    const purpose = await purposeOf(token);
    const browser = await desk.browsers.read(context);
    const email = purpose.kind === 'invitation' ? purpose.email : '';
    return desk.show(context, page(browser, token ?? '', purpose, { name: '', email }));
  });

  door.post('/setup', async (context) => {
    const { browser, fields } = await desk.browsers.readForm(context, 'set-up');
    const token = readQuery(context).get('token') ?? '';
    const purpose = await purposeOf(token);
    const filled = {
      name: fields.get('name') ?? '',
      // The inviter has chosen the address; what the form says does not matter.
      email: purpose.kind === 'invitation' ? purpose.email : (fields.get('email') ?? ''),
    };
    const password = fields.get('password') ?? '';
    const again = (problems: Problems): Response =>
      desk.show(context, page(browser, token, purpose, filled, problems));

    const problems: Problems = {
      name: refusal(personNameProblem(filled.name)),
      email: refusal(emailProblem(filled.email)),
      password: refusal(credentials.passwordProblem(password, filled)),
    };
    if (Object.values(problems).some(Boolean)) return again(problems);
    const isMade = await makeAccount(context, token, purpose, filled, password);
    return isMade ? desk.goTo(context, '/account') : again({ email: words.setup.emailTaken });
  });

  /** The link, the person, the password, the membership and the login: all or nothing. False: the address is taken. */
  async function makeAccount(
    context: DoorContext,
    token: string,
    purpose: SetupPurpose,
    filled: Filled,
    password: string,
  ): Promise<boolean> {
    const isFirst = purpose.kind === 'administrator';
    const savePassword = await credentials.preparePassword(password);
    for (let attempt = 1; ; attempt += 1) {
      const { user, statement } = await users.create({ ...filled, isFirst, isInstanceAdmin: isFirst });
      const login = await desk.browsers.logIn(context, { userId: user.id, amr: ['pwd'] });
      const team = isFirst ? undefined : purpose.team;
      const outcome = await database.tryWrite([
        setupLinks.redeem(token),
        statement,
        savePassword(user.id),
        ...(team ? [teams.addMember(team.id, user.id, team.role)] : []),
        ...login.statements,
        audit.record({
          actor: isFirst ? 'system' : purpose.invitedBy,
          action: 'user.create',
          object: user.id,
          ...(team && { teamId: team.id }),
          after: { email: user.email, username: user.username, isInstanceAdmin: isFirst, role: team?.role },
          reference: context.get('reference'),
        }),
      ]);
      if (outcome.committed) {
        login.remember();
        return true;
      }
      // Says by itself when the link was used in between.
      await purposeOf(token);
      if (await users.findByEmail(filled.email)) return false;
      if (attempt === attempts) throw publicError('form_expired');
    }
  }

  return door;
}

function refusal(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : words.setup.refused(problem);
}
