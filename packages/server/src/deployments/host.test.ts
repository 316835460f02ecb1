import { expect, test } from 'vitest';
import { domainProblem, generateHost, hostProblem, isFreeInDevelopment, type HostSpace } from './host.ts';
import { createUpstreamAddresses } from './upstream-addresses.ts';
import { upstreamProblem } from './upstream.ts';

const production: HostSpace = {
  domain: 'example.app',
  roleHosts: ['id.example.com', 'api.example.com'],
  development: false,
};

test('a generated host is one label of at most 63 letters, digits and hyphens', () => {
  for (const [project, team] of [
    ['site', 'acme'],
    ['a'.repeat(100), 'b'.repeat(100)],
    ['a', 'b'.repeat(100)],
    ['a'.repeat(100), 'b'],
    ['my.site_two--x', 'xn--acme'],
    [`${'a'.repeat(25)}.b`, 'c'.repeat(40)],
  ] as const) {
    const host = generateHost('example.app', project, team);
    expect(host).toMatch(/^[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]\.example\.app$/);
    expect(hostProblem({ host, kind: 'generated' }, production)).toBeUndefined();
  }
  expect(generateHost('example.app', 'site', 'acme')).not.toBe(generateHost('example.app', 'site', 'acme'));
});

test.each([
  ['site.example.app', 'alias', 'allowed'],
  ['example.app', 'alias', 'is the domain of deployments'],
  ['a.b.example.app', 'alias', 'more than one label'],
  ['xn--80ak6aa92e.example.app', 'alias', 'Punycode'],
  ['site.example.net', 'alias', 'is not below'],
  ['siteexample.app', 'alias', 'is not below'],
  ['site.example.app', 'custom', 'lies below'],
  ['id.example.com', 'custom', 'a host of this service'],
  ['x.id.example.com', 'custom', 'a host of this service'],
  ['example.com', 'custom', 'a host of this service'],
  ['www.shop.test', 'custom', 'allowed'],
] as const)('%s as %s: %s', (host, kind, problem) => {
  expect(hostProblem({ host, kind }, production) ?? 'allowed').toContain(problem);
});

test('a domain of deployments below a role keeps the rest of that role closed', () => {
  const space: HostSpace = {
    domain: 'apps.example.com',
    roleHosts: ['example.com', 'id.apps.example.com'],
    development: false,
  };
  expect(hostProblem({ host: 'site.apps.example.com', kind: 'alias' }, space)).toBeUndefined();
  expect(hostProblem({ host: 'id.apps.example.com', kind: 'alias' }, space)).toBeDefined();
  expect(hostProblem({ host: 'x.id.apps.example.com', kind: 'alias' }, space)).toBeDefined();
  expect(hostProblem({ host: 'www.example.com', kind: 'custom' }, space)).toBeDefined();
});

test("on a developer's machine names that lead there alone need no proof", () => {
  const space: HostSpace = { domain: 'app.localhost', roleHosts: ['localhost'], development: true };
  for (const host of ['shop.localhost', 'www.shop.test']) {
    expect(hostProblem({ host, kind: 'custom' }, space)).toBeUndefined();
    expect(isFreeInDevelopment(host, space)).toBe(true);
    expect(isFreeInDevelopment(host, production)).toBe(false);
  }
  expect(isFreeInDevelopment('www.shop.com', space)).toBe(false);
  expect(isFreeInDevelopment('www.shoptest', space)).toBe(false);
  expect(hostProblem({ host: 'app.localhost', kind: 'custom' }, space)).toBeDefined();
  expect(hostProblem({ host: 'site.app.localhost', kind: 'alias' }, space)).toBeUndefined();
});

test.each([
  ['www.shop.com', 'allowed'],
  ['shop.co.uk', 'allowed'],
  ['test.shop.com', 'allowed'],
  ['shop.localhost', 'in no DNS'],
  ['www.shop.test', 'in no DNS'],
  ['printer.local', 'in no DNS'],
  ['site.example.app', 'lies below the domain of deployments'],
  ['example.app', 'is the domain of deployments'],
  ['id.example.com', 'a host of this service'],
  ['login.id.example.com', 'a host of this service'],
  ['example.com', 'a host of this service'],
  ['shop.example.com', 'allowed'],
])('a domain of a project: %s: %s', (name, problem) => {
  expect(domainProblem(name, production) ?? 'allowed').toContain(problem);
});

const ownPort = 4001;
const rulesOf = (all: string[], ofAcme: string[]) => ({
  addresses: createUpstreamAddresses({
    allow: { all, byTeam: new Map([['acme', ofAcme]]) },
    ownPorts: () => [ownPort],
  }),
  ownHosts: ['localhost:4000', 'id.example.com'],
  domain: 'example.app',
});
const rules = rulesOf(['127.0.0.0/8', '::1'], ['10.1.0.0/16', 'fd00::/8']);

test.each([
  ['http://127.0.0.1:3000', true],
  ['http://localhost:3000', true],
  ['http://10.1.2.3', true],
  ['http://[fd00::1]:8080', true],
  ['http://service.internal:3000', true],
  ['http://10.2.0.1', false],
  ['http://0x7f.1:3000', true],
  ['http://[::1]:3000', true],
  ['http://[::ffff:10.1.2.3]', true],
  ['http://x.localhost:3000', true],
  ['http://[fe00::1]:3000', false],
  ['http://169.254.169.254', false],
  ['http://[fe80::1]', false],
  ['http://[::ffff:169.254.169.254]', false],
  ['http://localhost:4000', false],
  ['https://id.example.com', false],
  ['http://site.example.app', false],
  ['http://8.8.8.8', false],
])('team acme may use %s: %s', (upstream, allowed) => {
  expect(upstreamProblem(upstream, 'acme', rules) === undefined).toBe(allowed);
});

test.each([
  // The addresses that the gateway refuses at the connect.
  'http://0.0.0.0:3000',
  'http://169.254.169.254',
  'http://[::ffff:169.254.169.254]',
  'http://[::ffff:a9fe:a9fe]',
  'http://168.63.129.16',
  'http://100.100.100.200',
  'http://224.0.0.1',
  'http://255.255.255.255',
  'http://[::]:3000',
  'http://[::127.0.0.1]',
  'http://[::ffff:0:127.0.0.1]',
  'http://[fe80::1]',
  'http://[ff02::1]',
  'http://[fd00:ec2::254]',
  'http://[fd00:ec2::23]',
  'http://[fd20:ce::254]',
  'http://[fd00:c1::a9fe:a9fe]',
  'http://[fd00:42::42]',
  'http://[64:ff9b::a9fe:a9fe]',
  'http://[64:ff9b:1::a9fe:a9fe]',
  'http://[2001:0:4136:e378::1]',
  'http://[2002:a9fe:a9fe::1]',
])('no list makes an upstream of %s', (upstream) => {
  const everything = rulesOf(['0.0.0.0/0', '::/0'], ['0.0.0.0/0', '::/0']);
  expect(upstreamProblem(upstream, 'acme', everything)).toContain('an address that no deployment may have');
});

test.each([
  `http://127.0.0.1:${ownPort}`,
  `http://127.9.9.9:${ownPort}`,
  `http://[::1]:${ownPort}`,
  `http://localhost:${ownPort}`,
  `http://x.localhost:${ownPort}`,
])('no upstream is a port of this service: %s', (upstream) => {
  expect(upstreamProblem(upstream, 'acme', rules)).toContain('this service itself');
});

test('localhost is both of its addresses, as at the connect', () => {
  expect(upstreamProblem('http://localhost:3000', 'acme', rulesOf(['127.0.0.0/8'], []))).toBe(
    '"localhost" is ::1, which is not in the networks that this team may use (127.0.0.0/8).',
  );
});

test('the networks of one team are not those of another', () => {
  expect(upstreamProblem('http://10.1.2.3', 'other', rules)).toContain('not in the networks');
});
