import { expect, test } from 'vitest';
import { domainProblem, generateHost, hostProblem, isFreeInDevelopment, type HostSpace } from './host.ts';
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

const rules = {
  allow: { all: ['127.0.0.0/8'], byTeam: new Map([['acme', ['10.1.0.0/16', 'fd00::/8']]]) },
  ownHosts: ['localhost:4000', 'id.example.com'],
  domain: 'example.app',
};

test.each([
  ['http://127.0.0.1:3000', true],
  ['http://localhost:3000', true],
  ['http://10.1.2.3', true],
  ['http://[fd00::1]:8080', true],
  ['http://service.internal:3000', true],
  ['http://10.2.0.1', false],
  ['http://0x7f.1:3000', true],
  ['http://[::1]:3000', false],
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

test('the networks of one team are not those of another', () => {
  expect(upstreamProblem('http://10.1.2.3', 'other', rules)).toContain('not in the networks');
});
