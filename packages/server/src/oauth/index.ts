// The authorization server's doors: one folder per member of the metadata document. Owns the protocol: parsing,
// deciding and answering. Owns no table; login and consent pages are the account room's and meet it through stored
// requests.
export { createOAuth } from './oauth.ts';
export type { OAuth, OAuthNeeds } from './oauth.ts';
export type { RequestDescription, SignIn } from './authorization/interaction.ts';
export type { Browser, FindBrowser } from './shapes.ts';
