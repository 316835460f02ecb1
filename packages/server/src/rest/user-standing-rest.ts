import { getRoute } from '@tessera/contract';
import type { Audit } from '#audit';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { User, Users } from '#users';

export type UserStandingNeeds = {
  database: Database;
  audit: Audit;
  users: Users;
  listSessions: (userId: string) => Promise<readonly { id: string; userId: string }[]>;
  /** With what hangs on it: the apps are told. */
  endSession: (session: { id: string; userId: string }) => readonly Bound<unknown>[];
  endTokens: (userId: string) => readonly Bound<unknown>[];
};

/** Whether somebody may use their account: said by instance administrators. */
export function createUserStandingRest(needs: UserStandingNeeds): readonly RestDoor[] {
  const { database, audit, users } = needs;

  async function getPerson(administratorId: string, idOrEmail: string): Promise<User> {
    if ((await users.find(administratorId))?.isInstanceAdmin !== true) {
      throw publicError('forbidden', {
        description: 'Only instance administrators disable accounts and enable them.',
      });
    }
    const person = await (idOrEmail.includes('@') ? users.findByEmail(idOrEmail) : users.find(idOrEmail));
    if (person !== undefined) return person;
    throw publicError('not_found', { description: `There is no account "${idOrEmail}".` });
  }

  const entryOf = (action: string, person: User, call: { caller: { id: string }; reference: string }) =>
    audit.record({ actor: call.caller.id, action, object: person.id, reference: call.reference });

  async function answerOf(id: string) {
    const person = await users.find(id);
    if (person === undefined) throw publicError('not_found');
    return { user: documentOf(person) };
  }

  return [
    restDoor(getRoute('users.disable'), async (call) => {
      const person = await getPerson(call.caller.userId, call.params.idOrEmail);
      if (person.disabledAt !== undefined) return answerOf(person.id);
      if (person.id === call.caller.userId) {
        throw publicError('forbidden', {
          description: 'Nobody disables their own account: another administrator has to.',
        });
      }
      const sessions = await needs.listSessions(person.id);
      await database.write([
        ...users.disable(person.id),
        ...sessions.flatMap((session) => needs.endSession(session)),
        ...needs.endTokens(person.id),
        entryOf('user.disable', person, call),
      ]);
      return answerOf(person.id);
    }),

    restDoor(getRoute('users.enable'), async (call) => {
      const person = await getPerson(call.caller.userId, call.params.idOrEmail);
      if (person.disabledAt !== undefined) {
        await database.write([...users.enable(person.id), entryOf('user.enable', person, call)]);
      }
      return answerOf(person.id);
    }),
  ];
}

function documentOf(person: User) {
  const { id, email, emailVerified, name, username, picture, isInstanceAdmin, createdAt, disabledAt } =
    person;
  return {
    id,
    email,
    emailVerified,
    name: name ?? null,
    username,
    picture: picture ?? null,
    isInstanceAdmin,
    createdAt,
    disabledAt: disabledAt ?? null,
  };
}
