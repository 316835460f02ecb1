import type { Prompt } from '@tessera/protocol';
import { expect, test } from 'vitest';
import { decide, type AuthorizationFacts } from './decision.ts';

const now = 1_700_000_000_000;
type Case = [title: string, changes: Changes, expected: string];
const allowed = (...scopes: string[]) => ({ scopes, teamId: undefined });
type Changes = Omit<Partial<AuthorizationFacts>, 'parameters' | 'app'> & {
  prompts?: Prompt[];
  maxAge?: number;
  hintedUserId?: string;
  redirectUri?: string;
  more?: Partial<AuthorizationFacts['parameters']>;
  app?: Partial<AuthorizationFacts['app']>;
};

function next({ prompts = [], maxAge, hintedUserId, redirectUri, app, more, ...rest }: Changes): string {
  const step = decide({
    app: {
      signInAccess: 'anyone',
      firstParty: false,
      registration: 'dashboard',
      tokenEndpointAuthMethods: ['client_secret_basic'],
      ...app,
    },
    parameters: {
      clientId: 'cl_a',
      redirectUri: redirectUri ?? 'https://shop.example.com/cb',
      responseMode: 'query',
      resources: [],
      scopes: ['openid', 'email'],
      prompts,
      ...(maxAge === undefined ? {} : { maxAge }),
      ...(hintedUserId === undefined ? {} : { hintedUserId }),
      ...more,
    },
    now,
    login: { userId: 'usr_a', authenticatedAt: now - 60_000, amr: ['pwd'] },
    isFreshLogin: false,
    isMember: false,
    consented: [allowed('openid', 'email', 'profile')],
    approved: undefined,
    cancelled: false,
    ...rest,
  });
  if (step.next === 'refuse') return step.error;
  return step.next === 'answer' ? `answer: ${step.consent}` : step.next;
}

const loggedOut = { login: undefined } as const;
const loopback = {
  app: { tokenEndpointAuthMethods: ['none'] },
  redirectUri: 'http://127.0.0.1:1/cb',
} satisfies Changes;
const cases: Case[] = [
  ['logged in and consented', {}, 'answer: remembered'],
  ['logged out', loggedOut, 'login'],
  ['logged out, silently', { ...loggedOut, prompts: ['none'] }, 'login_required'],
  ['never consented', { consented: [] }, 'consent'],
  ['never consented, silently', { consented: [], prompts: ['none'] }, 'consent_required'],
  ['consented to less', { consented: [allowed('openid')] }, 'consent'],
  [
    'consented to less, and allowed it now',
    { consented: [allowed('openid')], approved: allowed('openid', 'email') },
    'answer: given',
  ],
  ['asked for consent anew', { prompts: ['consent'] }, 'consent'],
  [
    'asked for consent anew, and allowed it now',
    { prompts: ['consent'], approved: allowed('openid', 'email') },
    'answer: given',
  ],
  ['asked for a login', { prompts: ['login'] }, 'login'],
  ['asked for a login, and did', { prompts: ['login'], isFreshLogin: true }, 'answer: remembered'],
  ['asked to choose an account', { prompts: ['select_account'] }, 'login'],
  ['login and consent asked, login done', { prompts: ['login', 'consent'], isFreshLogin: true }, 'consent'],
  ['logged in too long ago', { maxAge: 59 }, 'login'],
  ['logged in lately enough', { maxAge: 61 }, 'answer: remembered'],
  ['logged in too long ago, silently', { maxAge: 59, prompts: ['none'] }, 'login_required'],
  ['max_age 0', { maxAge: 0, login: { userId: 'usr_a', authenticatedAt: now, amr: ['pwd'] } }, 'login'],
  ['max_age 0, and logged in for it', { maxAge: 0, isFreshLogin: true }, 'answer: remembered'],
  ['another person than hinted', { hintedUserId: 'usr_b' }, 'login'],
  ['another person than hinted, silently', { hintedUserId: 'usr_b', prompts: ['none'] }, 'login_required'],
  [
    'another person than hinted, after a login',
    { hintedUserId: 'usr_b', isFreshLogin: true },
    'login_required',
  ],
  ['the hinted person', { hintedUserId: 'usr_a', prompts: ['none'] }, 'answer: remembered'],
  ['not of the team', { app: { signInAccess: 'team' } }, 'access_denied'],
  ['of the team', { app: { signInAccess: 'team' }, isMember: true }, 'answer: remembered'],
  ['canceled', { cancelled: true, approved: allowed('openid', 'email') }, 'access_denied'],
  ['a first-party app', { app: { firstParty: true }, consented: [] }, 'answer: first party'],
  ['a first-party app, consent asked for', { app: { firstParty: true }, prompts: ['consent'] }, 'consent'],
  ['a public app on loopback, consented before (security-80)', loopback, 'consent'],
  ['a public app on loopback, silently', { ...loopback, prompts: ['none'] }, 'consent_required'],
  [
    'a public app on loopback, first party (security-80)',
    { ...loopback, app: { ...loopback.app, firstParty: true } },
    'consent',
  ],
  [
    'a public app on loopback, allowed now',
    { ...loopback, approved: allowed('openid', 'email') },
    'answer: given',
  ],
  [
    'a public app with a private scheme (security-80)',
    { ...loopback, redirectUri: 'com.example.app:/cb' },
    'consent',
  ],
  [
    'an app that registered itself, consented before (security-80)',
    { app: { registration: 'dynamic' } },
    'consent',
  ],
  [
    'an app of a metadata document, consented before (security-80)',
    { app: { registration: 'metadata-document' } },
    'consent',
  ],
  [
    'permissions, consented without a team',
    { more: { scopes: ['openid', 'project:read'] }, consented: [allowed('openid', 'project:read')] },
    'consent',
  ],
  [
    'permissions, consented in a team',
    {
      more: { scopes: ['openid', 'project:read'] },
      consented: [allowed('openid'), { ...allowed('openid', 'project:read'), teamId: 'team_a' }],
    },
    'answer: remembered',
  ],
  [
    'permissions of a first-party app',
    { more: { scopes: ['project:read'] }, app: { firstParty: true }, consented: [] },
    'consent',
  ],
  [
    'a claim by name, its scope not consented',
    { more: { claims: { idToken: ['name'], userinfo: [] } }, consented: [allowed('openid', 'email')] },
    'consent',
  ],
  [
    'an acr that the login has',
    { more: { acr: { values: ['1'], isEssential: true } } },
    'answer: remembered',
  ],
  ['an acr that nobody has', { more: { acr: { values: ['9'], isEssential: false } } }, 'answer: remembered'],
  [
    'an essential acr that nobody has',
    { more: { acr: { values: ['9'], isEssential: true } } },
    'unmet_authentication_requirements',
  ],
  [
    'a public app on the web, consented before',
    { ...loopback, redirectUri: 'https://spa.example.com/cb' },
    'answer: remembered',
  ],
];

test.each(cases)('%s', (_title, changes, expected) => {
  expect(next(changes)).toBe(expected);
});
