import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { databaseKinds } from '../harness/test-databases.ts';
import { createDomainWorld, refusalOf, type DomainWorld } from './domain-world.ts';

describe.each(databaseKinds)('a domain of one’s own on %s', (kind) => {
  let world: DomainWorld;
  beforeAll(async () => {
    world = await createDomainWorld(kind);
  });
  afterAll(() => world?.close());

  test('is unproven when it is added, and the answer says which record proves it', async () => {
    const site = await world.site();
    const added = await world.add(site, site.domain);
    expect(added).toEqual({
      name: site.domain,
      apexName: site.domain,
      projectId: site.projectId,
      environment: 'production',
      verified: false,
      verifiedAt: null,
      verification: [
        {
          type: 'TXT',
          domain: `_tessera.${site.domain}`,
          value: expect.stringMatching(new RegExp(`^tessera-domain-verify=${site.domain},[0-9a-f]{40}$`)),
          reason: 'pending_domain_verification',
        },
      ],
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
    });
    expect(await world.get(site, site.domain)).toEqual(added);
    expect(await world.list(site)).toEqual([added]);
    expect(await world.visit(site.domain)).toBe('404 DEPLOYMENT_NOT_FOUND');
  });

  test('is one domain in every spelling', async () => {
    const site = await world.site();
    const written = `WWW.Bücher-${site.projectId.slice(-4)}.Com.`;
    const { name } = await world.add(site, written);
    expect(name).toMatch(/^www\.xn--bcher-[a-z0-9-]+\.com$/);
    for (const same of [written, name.toUpperCase(), `${name}.`]) {
      expect(await refusalOf(world.add(site, same))).toMatch(/^domain_taken: .*this project already/);
      expect((await world.get(site, same)).name).toBe(name);
    }
  });

  test.each([
    ['*.shop.com', 'wildcard'],
    ['com', 'single label'],
    ['localhost', 'single label'],
    ['192.0.2.1', 'address'],
    ['0x7f.1', 'address'],
    ['[2001:db8::1]', 'no domain'],
    ['https://www.shop.com', 'no domain'],
    ['www.shop.com:443', 'no domain'],
    ['www.shop.com/path', 'no domain'],
    ['user@shop.com', 'no domain'],
    ['www.sh%6fp.com', 'no domain'],
    ['www shop.com', 'no domain'],
    ['www.\u00adshop.com', 'no domain'],
    ['_dmarc.shop.com', 'no domain'],
    ['www..com', 'no name of a host'],
    ['-www.shop.com', 'no name of a host'],
    [`${'a'.repeat(64)}.com`, 'no name of a host'],
    [`${'a.'.repeat(121)}comm`, '246 characters'],
  ])('is not %s', async (name, words) => {
    const site = await world.site();
    const refusal = await refusalOf(world.add(site, name));
    expect(refusal).toMatch(/^bad_request: /);
    expect(refusal).toContain(words);
  });

  test('needs the environment of the project', async () => {
    const site = await world.site();
    for (const environment of ['staging', 'development']) {
      expect(await refusalOf(world.add(site, site.domain, environment))).toMatch(
        new RegExp(`^unknown_environment: .*"${environment}".*production, preview`),
      );
    }
  });

  test('is proven by its TXT record, and answers at the newest production deployment at once', async () => {
    const site = await world.site();
    await world.deploy(site);
    const newest = await world.deploy(site);
    await world.deploy(site, { environment: 'preview' });
    await world.add(site, site.domain);
    const value = await world.prove(site, site.domain);
    const proven = await world.verify(site, site.domain);
    expect(proven).toMatchObject({ verified: true, verifiedAt: expect.any(Number) });
    expect(proven).not.toHaveProperty('verification');
    expect(JSON.stringify(proven)).not.toContain(value);
    expect(await world.visit(site.domain)).toBe(`200 ${newest.id}`);
    const { hosts } = await world.call('deployments.get', {
      query: { teamId: site.team.id },
      params: { id: newest.id },
    });
    expect(hosts).toContainEqual({ host: site.domain, kind: 'custom' });
    const audited = { name: site.domain, projectId: site.projectId, environment: 'production' };
    expect((await world.audit(world.acme)).slice(0, 2)).toEqual([
      ['project-domain.verify', audited],
      ['project-domain.add', audited],
    ]);
  });

  test('is proven among other records, and by a text in several strings', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    const value = await world.prove(site, site.domain);
    world.dns.zone.set(`_tessera.${site.domain}`, {
      texts: [
        ['v=spf1 -all'],
        ['tessera-domain-verify=', 'elsewhere.com,x'],
        [value.slice(0, 30), value.slice(30)],
      ],
    });
    expect((await world.verify(site, site.domain)).verified).toBe(true);
  });

  test('stays proven without another look, when its record is gone', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    world.dns.zone.delete(`_tessera.${site.domain}`);
    const asked = world.dns.asked.length;
    expect((await world.verify(site, site.domain)).verified).toBe(true);
    expect(world.dns.asked).toHaveLength(asked);
  });

  test('leads to the next deployment, unless that leaves it', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    expect(await world.visit(site.domain)).toBe('404 DEPLOYMENT_NOT_FOUND');
    const custom = [{ host: site.domain, kind: 'custom' as const }];
    const first = await world.deploy(site);
    expect(first.hosts).toEqual([expect.objectContaining({ kind: 'generated' }), ...custom]);
    expect(await world.visit(site.domain)).toBe(`200 ${first.id}`);
    const staged = await world.deploy(site, { autoAssignCustomDomains: false });
    expect(staged.hosts).toHaveLength(1);
    expect(await world.visit(site.domain)).toBe(`200 ${first.id}`);
    const named = await world.deploy(site, { autoAssignCustomDomains: false, hosts: custom });
    expect(await world.visit(site.domain)).toBe(`200 ${named.id}`);
    const both = await world.deploy(site, { hosts: custom });
    expect(both.hosts.filter(({ kind }) => kind === 'custom')).toEqual(custom);
    expect(await world.visit(site.domain)).toBe(`200 ${both.id}`);
    await world.call('deployments.delete', { query: { teamId: site.team.id }, params: { id: both.id } });
    expect(await world.visit(site.domain)).toBe('404 DEPLOYMENT_NOT_FOUND');
  });

  test('is listed by whether it is proven, a page at a time', async () => {
    const site = await world.site();
    const names = ['a', 'b', 'c'].map((label) => `${label}.${site.domain}`);
    for (const name of names) await world.add(site, name);
    await world.prove(site, names[0]!);
    await world.verify(site, names[0]!);
    const page = async (more: object) => {
      const { domains, pagination } = await world.call('project-domains.list', {
        params: { idOrName: site.projectId },
        query: { teamId: site.team.id, ...more },
      });
      return { names: domains.map(({ name }) => name.split('.')[0]).join(''), next: pagination.next };
    };
    expect((await page({ verified: 'true' })).names).toBe('a');
    expect([...(await page({ verified: 'false' })).names].toSorted().join('')).toBe('bc');
    const first = await page({ limit: 2 });
    const second = await page({ limit: 2, cursor: first.next! });
    expect([...first.names, ...second.names].toSorted().join('')).toBe('abc');
    expect(second.next).toBeNull();
  });

  test('needs no proof below .localhost and .test on a developer’s machine, and stays with its project', async () => {
    const site = await world.site();
    const names = ['localhost', 'test'].map(
      (last) => `shop-${site.projectId.slice(-4).toLowerCase()}.${last}`,
    );
    const hosts = names.map((host) => ({ host, kind: 'custom' as const }));
    const { id } = await world.deploy(site, { hosts });
    for (const host of names) expect(await world.visit(host)).toBe(`200 ${id}`);
    const newer = await world.deploy(site, { hosts });
    for (const host of names) expect(await world.visit(host)).toBe(`200 ${newer.id}`);
    for (const other of [world.rival, world.acme])
      expect(await refusalOf(world.deploy(await world.site(other), { hosts }))).toMatch(/^host_taken/);
    expect(
      await refusalOf(world.deploy(site, { hosts: [{ host: 'www.shop.com', kind: 'custom' }] })),
    ).toMatch(/^domain_proof_required/);
  });

  describe('of production', () => {
    const protection = { ssoProtection: { deploymentType: 'all_except_custom_domains' as const } };

    async function provenSite(environment: 'production' | 'preview') {
      const site = await world.site();
      await world.call('projects.update', {
        params: { idOrName: site.projectId },
        query: { teamId: site.team.id },
        body: protection,
      });
      await world.add(site, site.domain, environment);
      await world.prove(site, site.domain);
      await world.verify(site, site.domain);
      const deployed = await world.deploy(site, { environment });
      return { site, generated: deployed.hosts[0]!.host };
    }
    const explain = async (host: string) => {
      const { outcome, rules } = await world.call('protection.explain', {
        query: { teamId: world.acme.id },
        body: { host, method: 'GET', path: '/', headers: {} },
      });
      return [outcome.is, rules.at(-1)?.rule, rules.at(-1)?.because];
    };

    test('is what “all but custom domains” leaves open, and nothing else is', async () => {
      const { site, generated } = await provenSite('production');
      expect(await world.visit(site.domain)).toMatch(/^200 /);
      expect(await world.visit(generated)).toBe('401 SIGN_IN_REQUIRED');
      expect(await explain(site.domain)).toEqual([
        'pass',
        'scope',
        expect.stringContaining(`custom domains of production, and "${site.domain}" is one`),
      ]);
      expect((await explain(generated))[0]).toBe('sign-in');
    });

    test('is not one of a preview, which stays protected', async () => {
      const { site, generated } = await provenSite('preview');
      expect(await world.visit(site.domain)).toBe('401 SIGN_IN_REQUIRED');
      expect(await world.visit(generated)).toBe('401 SIGN_IN_REQUIRED');
      expect((await explain(site.domain))[0]).toBe('sign-in');
    });
  });
});
