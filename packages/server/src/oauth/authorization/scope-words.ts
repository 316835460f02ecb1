import { permissionTable } from '@tessera/contract';
import { permissionsOf } from './permissions.ts';

/** A scope on the consent page: `words` completes "It will be able to: …", `not` completes "It will not …". */
export type ScopeWords = { name: string; words: string; not?: string };

const wordsOf: Readonly<Record<string, Omit<ScopeWords, 'name'>>> = {
  openid: { words: 'Know that it is you, by an identifier that never changes' },
  profile: {
    words: 'See your name, username and picture',
    not: 'change any of it',
  },
  email: {
    words: 'See your e-mail address and whether it is verified',
    not: 'send mail in your name or read yours',
  },
  offline_access: {
    words: 'Stay signed in for up to 30 days, also while you are away',
    not: 'see or do more than is listed here',
  },
};

/** Who stands behind the command line. */
export const ownName = 'this Tessera instance';

const actForPerson: ScopeWords = {
  name: 'role',
  words: 'Act for you in all your teams, as far as your role there reaches',
  not: 'do what asks for a fresh login',
};

/** `standsForPerson`: whether the app's tokens are good for all that the person may do. */
export function describeScopes(scopes: readonly string[], standsForPerson = false): ScopeWords[] {
  const permissions: readonly string[] = permissionsOf(scopes);
  const identity = scopes.filter((name) => !permissions.includes(name));
  return [
    ...identity.map((name) => ({ name, ...(wordsOf[name] ?? { words: name }) })),
    ...permissionsOf(scopes).map((name) => ({ name, words: permissionTable[name].words })),
    ...(standsForPerson ? [actForPerson] : []),
  ];
}
