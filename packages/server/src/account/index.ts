// The pages of people with an account, at the origin: login, set-up, consent, and what they see of themselves. Owns
// the cookies of the browser and of the login, and the words of these pages; owns no table.
// Not the authorization request (oauth, through the shape `SignIn`), not how pages look (pages).
export { createAccount, type Account, type AccountNeeds } from './account.ts';
export type { Browser, EndSession, LoggedIn } from './browsers.ts';
export type { RequestView, SignIn } from './entrance/consent.ts';
export type { DeviceSignIn } from './entrance/device.ts';
export type { EndSessionRequests } from './entrance/logout.ts';
export type { AccountApiTokens, TokenOfPerson, TokenProjects } from './self/api-tokens.ts';
export type { AccountTeams, TeamOfPerson } from './self/teams.ts';
export { pageErrors } from './desk.ts';
