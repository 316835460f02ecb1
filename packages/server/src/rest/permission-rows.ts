import type { Permission, Route } from '@tessera/contract';

export const projectId = 'prj_site';

/** A case of the matrix: a route, the body or object it is about, and what the table of permissions.md says of it. */
export type Row = {
  route: Route['name'];
  body?: unknown;
  /** owner, member, developer, security, viewer: ● may, ◐ with a fresh login, – may not. */
  roles: string;
  /** Whether a token that lists exactly this may, in the hand of an owner. */
  token: Permission | 'never';
  /** What the object of the call is, where the permission hangs on it. */
  environment?: string;
};

const connector = { name: 'Okta', issuer: 'https://okta.example', clientId: 'x' };
const app = {
  name: 'App',
  redirectUris: [],
  scopes: ['openid'],
  tokenEndpointAuthMethods: ['none'],
  signInAccess: 'team',
};
const deployment = { projectId, upstream: 'http://127.0.0.1:1' };
export const passport = { connectorId: 'scl_1', deploymentType: 'all' };

export const rows: readonly Row[] = [
  { route: 'users.get', roles: '● ● ● ● ●', token: 'never' },
  { route: 'teams.create', body: { slug: 'new-team' }, roles: '● ● ● ● ●', token: 'never' },
  { route: 'teams.list', roles: '● ● ● ● ●', token: 'team:read' },
  { route: 'teams.get', roles: '● ● ● ● ●', token: 'team:read' },
  { route: 'teams.update', body: { name: 'New' }, roles: '◐ – – – –', token: 'never' },
  { route: 'teams.update', body: { slug: 'acme-two' }, roles: '◐ – – – –', token: 'never' },
  { route: 'teams.update', body: { workloadAlgorithm: 'ES256' }, roles: '◐ – – – –', token: 'never' },
  { route: 'teams.update', body: { defaultPassport: null }, roles: '● ● – ● –', token: 'passport:write' },
  { route: 'teams.update', body: { defaultPassport: null, name: 'N' }, roles: '◐ – – – –', token: 'never' },
  { route: 'members.list', roles: '● ● ● ● ●', token: 'member:read' },
  {
    route: 'members.add',
    body: { email: 'a@b.example', role: 'viewer' },
    roles: '◐ – – – –',
    token: 'never',
  },
  { route: 'members.update', body: { role: 'viewer' }, roles: '◐ – – – –', token: 'never' },
  { route: 'members.remove', roles: '◐ – – – –', token: 'never' },
  { route: 'projects.create', body: { name: 'site' }, roles: '● ● – – –', token: 'project:write' },
  { route: 'projects.list', roles: '● ● ● ● ●', token: 'project:read' },
  { route: 'projects.get', roles: '● ● ● ● ●', token: 'project:read' },
  { route: 'projects.update', body: { name: 'two' }, roles: '● ● – – –', token: 'project:write' },
  { route: 'projects.update', body: { environments: [] }, roles: '● ● – – –', token: 'project:write' },
  { route: 'projects.update', body: { passport }, roles: '● ● – ● –', token: 'passport:write' },
  { route: 'projects.update', body: { passport: null }, roles: '● ● – ● –', token: 'passport:write' },
  { route: 'projects.update', body: { trustedIps: null }, roles: '● ● – ● –', token: 'protection:write' },
  {
    route: 'projects.update',
    body: { ssoProtection: { deploymentType: 'all' } },
    roles: '● ● – ● –',
    token: 'protection:write',
  },
  {
    route: 'projects.update',
    body: { passwordProtection: null },
    roles: '● ● – ● –',
    token: 'protection:write',
  },
  {
    route: 'projects.update',
    body: { trustedSources: null },
    roles: '● ● – ● –',
    token: 'protection:write',
  },
  {
    route: 'projects.update',
    body: { optionsAllowlist: null },
    roles: '● ● – ● –',
    token: 'protection:write',
  },
  {
    route: 'projects.update',
    body: { protectionExceptions: [] },
    roles: '● ● – ● –',
    token: 'protection:write',
  },
  { route: 'projects.update', body: { passport, trustedIps: null }, roles: '● ● – ● –', token: 'never' },
  { route: 'projects.update', body: { oidcTokenConfig: {} }, roles: '◐ – – ◐ –', token: 'never' },
  { route: 'projects.update', body: { passport, name: 'two' }, roles: '● ● – – –', token: 'never' },
  { route: 'projects.delete', roles: '◐ ◐ – – –', token: 'never' },
  { route: 'tokens.mint', body: {}, environment: 'development', roles: '● ● ● – –', token: 'never' },
  { route: 'tokens.mint', body: {}, environment: 'production', roles: '– – – – –', token: 'never' },
  { route: 'tokens.explain', body: {}, roles: '● ● ● ● ●', token: 'federation:read' },
  {
    route: 'deployments.create',
    body: { ...deployment, environment: 'production' },
    environment: 'production',
    roles: '● ● – – –',
    token: 'deployment:write:production',
  },
  {
    route: 'deployments.create',
    body: { ...deployment, environment: 'preview' },
    environment: 'preview',
    roles: '● ● ● – –',
    token: 'deployment:write:preview',
  },
  { route: 'deployments.get', roles: '● ● ● ● ●', token: 'deployment:read' },
  {
    route: 'deployments.delete',
    environment: 'production',
    roles: '● ● – – –',
    token: 'deployment:write:production',
  },
  {
    route: 'deployments.delete',
    environment: 'preview',
    roles: '● ● ● – –',
    token: 'deployment:write:preview',
  },
  { route: 'connectors.create', body: connector, roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connectors.discover', body: { issuer: connector.issuer }, roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connectors.list', roles: '● ● – ● –', token: 'connector:read' },
  { route: 'connectors.get', roles: '● ● – ● –', token: 'connector:read' },
  { route: 'connectors.update', body: { name: 'Okta' }, roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connectors.delete', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connectors.test', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connector-tests.get', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connector-keys.list', roles: '● ● – ● –', token: 'connector:read' },
  { route: 'connector-keys.create', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connector-keys.activate', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'connector-keys.delete', roles: '◐ – – ◐ –', token: 'never' },
  { route: 'apps.create', body: app, roles: '● ● – – –', token: 'app:write' },
  { route: 'apps.get', roles: '● ● ● ● ●', token: 'app:read' },
  { route: 'apps.update', body: { name: 'App' }, roles: '● ● – – –', token: 'app:write' },
  { route: 'apps.update', body: { jwks: null }, roles: '◐ ◐ – ◐ –', token: 'never' },
  { route: 'apps.delete', roles: '● ● – – –', token: 'app:write' },
  { route: 'app-logos.put', roles: '● ● – – –', token: 'app:write' },
  { route: 'app-logos.delete', roles: '● ● – – –', token: 'app:write' },
  { route: 'app-secrets.create', body: {}, roles: '◐ ◐ – ◐ –', token: 'never' },
  { route: 'app-secrets.delete', roles: '◐ ◐ – ◐ –', token: 'never' },
  { route: 'app-activity.list', roles: '● ● – ● –', token: 'sign-in:read' },
  { route: 'apps.invalidate-tokens', roles: '◐ ◐ – ◐ –', token: 'never' },
  { route: 'apps.mark', body: { firstParty: true }, roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'users.disable', roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'users.enable', roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'signing-keys.list', roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'signing-keys.rotate', body: { purpose: 'workload' }, roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'signing-keys.revoke-all', body: { purpose: 'workload' }, roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'signing-keys.revoke', roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'signing-keys.delete', roles: '◐ ◐ ◐ ◐ ◐', token: 'never' },
  { route: 'team-keys.list', roles: '● ● ● ● ●', token: 'team:read' },
  { route: 'team-keys.give', body: { inGlobalKeySet: false }, roles: '◐ – – – –', token: 'never' },
  { route: 'team-keys.end', roles: '◐ – – – –', token: 'never' },
  { route: 'authorized-apps.list', roles: '● ● ● ● ●', token: 'never' },
  { route: 'authorized-apps.delete', roles: '● ● ● ● ●', token: 'never' },
  { route: 'sign-in-attempts.find', roles: '● ● – ● –', token: 'sign-in:read' },
  { route: 'passport-sessions.list', roles: '● ● – ● –', token: 'visitor:read' },
  { route: 'passport-sessions.end', roles: '● ● – ● –', token: 'visitor:end' },
  { route: 'passport-sessions.end-many', roles: '● ● – ● –', token: 'visitor:end' },
  {
    route: 'passport.assign',
    body: { ...passport, projectIds: [projectId] },
    roles: '● ● – ● –',
    token: 'passport:write',
  },
  { route: 'passport.usage', roles: '● ● ● ● ●', token: 'passport:read' },
  {
    route: 'passport.simulate',
    body: { visitor: { claims: {} } },
    roles: '● ● ● ● ●',
    token: 'passport:read',
  },
  { route: 'protection-bypass.list', roles: '● ● ● ● ●', token: 'protection:read' },
  {
    route: 'protection-bypass.update',
    body: { generate: {} },
    roles: '● ● – ● –',
    token: 'protection-bypass:write',
  },
  { route: 'share-links.get', roles: '● ● ● ● ●', token: 'protection:read' },
  {
    route: 'share-links.update',
    body: {},
    environment: 'preview',
    roles: '● ● ● ● –',
    token: 'protection-bypass:write',
  },
  {
    route: 'share-links.update',
    body: {},
    environment: 'production',
    roles: '● ● – ● –',
    token: 'protection-bypass:write',
  },
  {
    route: 'share-links.update',
    body: {},
    environment: 'staging',
    roles: '● ● – ● –',
    token: 'protection-bypass:write',
  },
  {
    route: 'protection.explain',
    body: { host: 'a.example' },
    roles: '● ● ● ● ●',
    token: 'protection:read',
  },
  { route: 'audit-log.list', roles: '● – – ● –', token: 'audit:read' },
];
