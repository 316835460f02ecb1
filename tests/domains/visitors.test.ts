import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProblemError } from '../../packages/contract/src/index.ts';
import { startDnsServer, type DnsServer } from '../harness/dns-server.ts';
import {
  createPassportWorld,
  passPassport,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

describe.each(databaseKinds)('visitors of a domain of one’s own on %s', (kind) => {
  let dns: DnsServer;
  let tessera: RunningTessera;
  let world: PassportWorld;
  let made = 0;

  beforeAll(async () => {
    dns = await startDnsServer();
    tessera = await startTessera(kind, { variables: { TESSERA_DNS_SERVERS: dns.address } });
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(async () => {
    await world?.close();
    await tessera?.close();
    await dns?.close();
  });

  const of = (site: { projectId: string }, teamId = world.team.id) => ({
    params: { idOrName: site.projectId },
    query: { teamId },
  });

  async function prove(site: { projectId: string }, name: string, teamId = world.team.id): Promise<void> {
    const { params, query } = of(site, teamId);
    const { verification } = await world.call('project-domains.add', { params, query, body: { name } });
    const [record] = verification!;
    dns.zone.set(record!.domain, { texts: [[record!.value]] });
    await world.call('project-domains.verify', { params: { ...params, domain: name }, query });
  }

  /** A protected site at a proven domain of its own. */
  async function stage(): Promise<{ site: ProtectedDeployment; domain: string; url: string }> {
    const site = await world.protect(`shop-${++made}`);
    const domain = `www.shop-${made}.com`;
    await prove(site, domain);
    return { site, domain, url: `http://${domain}:${tessera.environment.port}` };
  }

  /** As a program asks: no redirects. */
  async function statusAt(url: string, visitor?: Visitor): Promise<number> {
    const cookie = visitor?.cookies.header(new URL(url));
    return (await send(`${url}/`, { headers: cookie === undefined ? {} : { cookie } })).status;
  }

  test('sign in there as anywhere, for that host alone', async () => {
    const { site, url } = await stage();
    const visitor = createVisitor();
    expect(await statusAt(url)).toBe(401);
    const page = await passPassport(visitor, `${url}/`);
    expect([page.status, page.url.href]).toEqual([200, `${url}/`]);
    expect(await statusAt(url, visitor)).toBe(200);
    expect(await statusAt(site.url, visitor)).toBe(401);
  });

  test('are not signed in any more when the domain is another project’s', async () => {
    const { url, domain } = await stage();
    const visitor = createVisitor();
    await passPassport(visitor, `${url}/`);
    expect(await statusAt(url, visitor)).toBe(200);
    const rival = await world.call('teams.create', { body: { slug: `rival-${made}`, name: 'Rival' } });
    const query = { teamId: rival.id };
    const { id } = await world.call('projects.create', { query, body: { name: 'shop' } });
    await world.call('projects.update', {
      ...of({ projectId: id }, rival.id),
      body: { ssoProtection: { deploymentType: 'all' } },
    });
    await world.call('deployments.create', {
      query,
      body: {
        projectId: id,
        environment: 'production',
        upstream: world.upstream.url.replace('localhost', '127.0.0.1'),
      },
    });
    await prove({ projectId: id }, domain, rival.id);
    expect(await statusAt(url, visitor)).toBe(401);
  });

  test('are not asked where the setting leaves the domain out, and the simulator says so', async () => {
    const { site, domain, url } = await stage();
    await world.call('projects.update', {
      ...of(site),
      body: {
        passport: { connectorId: world.connectorId, deploymentType: 'all_except_custom_domains' },
      },
    });
    expect([await statusAt(url), await statusAt(site.url)]).toEqual([200, 401]);
    const coverageAt = async (host: string) => {
      const body = { visitor: { claims: {} }, host };
      const { coverage } = await world.call('passport.simulate', { ...of(site), body });
      return coverage;
    };
    expect(await coverageAt(domain)).toEqual({
      host: domain,
      covered: false,
      because: `Passport does not cover custom domains of production, and "${domain}" is one.`,
    });
    expect(await coverageAt(new URL(site.url).hostname)).toMatchObject({ covered: true });
    const foreign = new URL(world.deployment.url).hostname;
    await expect(coverageAt(foreign)).rejects.toThrow(ProblemError);
    await expect(coverageAt('nobody.shop.com')).rejects.toThrow(/no deployment at "nobody\.shop\.com"/);
  });
});
