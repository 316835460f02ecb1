import { createServer, get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../examples/listen.ts';
import { findFreePort } from '../harness/free-port.ts';
import { runTessera } from '../harness/run-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createDomainWorld, refusalOf, type DomainWorld, type Site } from './domain-world.ts';

const closed = '404 DEPLOYMENT_NOT_FOUND';

/** A GET whose answer does not end by itself. */
function openStream(host: string, port: number) {
  let text = '';
  let isOver = false;
  const request = get({ host: '127.0.0.1', port, headers: { host: `${host}:${port}` } }, (response) => {
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    response.on('error', () => undefined).on('close', () => (isOver = true));
  });
  request.on('error', () => (isOver = true));
  return { text: () => text, isOver: () => isOver, end: () => request.destroy() };
}

describe.each(databaseKinds)('somebody else’s domain on %s', (kind) => {
  let world: DomainWorld;
  let closeNode: () => Promise<void>;
  let secondPort: number;

  beforeAll(async () => {
    world = await createDomainWorld(kind, {
      TESSERA_OIDC_URL: 'https://oidc.roles.dev',
      TESSERA_DEPLOYMENT_DOMAIN: 'apps.hosting.dev',
    });
    secondPort = await findFreePort();
    const node = await runTessera({
      ...world.tessera.environment.variables,
      TESSERA_LISTEN: `127.0.0.1:${secondPort}`,
      TESSERA_OPERATIONS_LISTEN: `127.0.0.1:${await findFreePort()}`,
    });
    closeNode = node.close;
  });
  afterAll(async () => {
    await closeNode?.();
    await world?.close();
  });

  /** A site that answers at its own proven domain. */
  async function live(team = world.acme): Promise<Site & { domain: string; value: string; id: string }> {
    const site = await world.site(team);
    const { id } = await world.deploy(site);
    await world.add(site, site.domain);
    const value = await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    expect(await world.visit(site.domain)).toBe(`200 ${id}`);
    return { ...site, value, id };
  }
  const deployAt = (site: Site, host: string, more: object = {}) =>
    refusalOf(world.deploy(site, { hosts: [{ host, kind: 'custom' }], ...more }));

  test.each([
    ['oidc.roles.dev', 'a host of this service'],
    ['roles.dev', 'a host of this service'],
    ['x.oidc.roles.dev', 'a host of this service'],
    ['OIDC.Roles.Dev.', 'a host of this service'],
    ['apps.hosting.dev', 'the domain of deployments'],
    ['hosting.dev', 'the domain of deployments'],
    ['site.apps.hosting.dev', 'below the domain of deployments'],
    ['a.b.apps.hosting.dev', 'below the domain of deployments'],
    ['www.shop.localhost', 'in no DNS'],
    ['www.shop.test', 'in no DNS'],
  ])('cannot be %s', async (name, words) => {
    const site = await world.site();
    const refusal = await refusalOf(world.add(site, name));
    expect(refusal).toMatch(/^host_refused: /);
    expect(refusal).toContain(words);
  });

  test('is had by no deployment that only names it, in any environment', async () => {
    const { domain } = await live();
    const thief = await world.site(world.rival);
    for (const environment of ['production', 'preview']) {
      expect(await deployAt(thief, domain, { environment })).toMatch(/^domain_proof_required: .*POST \/v10/);
    }
    await world.add(thief, domain);
    expect(await deployAt(thief, domain)).toMatch(/^domain_proof_required: .*not proven.*GET \/v9/);
    expect(await refusalOf(world.deploy(thief, { hosts: [{ host: domain, kind: 'alias' }] }))).toMatch(
      /^host_refused: .*"custom"/,
    );
  });

  test('is proven by the record of no other team, domain or time', async () => {
    const { domain, value, id } = await live();
    const thief = await world.site(world.rival);
    const { verification } = await world.add(thief, domain);
    expect(verification![0]!.value).not.toBe(value);
    const refusal = await refusalOf(world.verify(thief, domain));
    expect(refusal).toMatch(/^domain_not_proven: /);
    expect(refusal).toContain(`"_tessera.${domain}" has the TXT record "${value}"`);
    expect(refusal).toContain(verification![0]!.value);
    // The thief's own token at the thief's own domain, and in other letters, is none either.
    world.dns.zone.set(`_tessera.${thief.domain}`, { texts: [[verification![0]!.value]] });
    world.dns.zone.set(`_tessera.${domain}`, {
      texts: [
        [verification![0]!.value.toUpperCase()],
        [` ${verification![0]!.value}`],
        [verification![0]!.value.replace(domain, thief.domain)],
        [`"${verification![0]!.value}"`],
      ],
    });
    expect(await refusalOf(world.verify(thief, domain))).toMatch(/^domain_not_proven: .*and 1 more/);
    expect(await world.visit(domain)).toBe(`200 ${id}`);
  });

  test('is proven by no name above or below it', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    await world.add(site, `shop.${site.domain}`);
    await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    expect(await refusalOf(world.verify(site, `shop.${site.domain}`))).toMatch(
      /^domain_not_proven: .*no TXT/,
    );
  });

  test('is proven by no alias, such as that of a wildcard, though its target says the right thing', async () => {
    const thief = await world.site(world.rival);
    const { verification } = await world.add(thief, thief.domain);
    const record = verification![0]!;
    world.dns.zone.set('abandoned.elsewhere.com', { texts: [[record.value]] });
    world.dns.zone.set(record.domain, { alias: 'abandoned.elsewhere.com' });
    expect(await refusalOf(world.verify(thief, thief.domain))).toMatch(
      /^domain_not_proven: .*alias \(CNAME\) of "abandoned\.elsewhere\.com"/,
    );
  });

  test('is told of in few visible characters, whatever stands in its DNS', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    const texts = Array.from({ length: 150 }, () => ['\u0000\n\u001b[31m<script>'.padEnd(255, '\u00e9')]);
    world.dns.zone.set(`_tessera.${site.domain}`, { texts });
    const refusal = await refusalOf(world.verify(site, site.domain));
    expect(refusal).toMatch(/^domain_not_proven: [\x20-\x7e]{100,1500}$/);
    expect(refusal).toContain('and 147 more');
  });

  test.each([
    ['fails', { code: 2 }, 'SERVFAIL'],
    ['refuses', { code: 5 }, 'REFUSED'],
    ['is silent', 'silence', 'in time'],
    ['says rubbish', 'rubbish', ''],
  ] as const)('is not proven while its DNS %s', async (_, answer, words) => {
    const site = await world.site();
    await world.add(site, site.domain);
    world.dns.zone.set(`_tessera.${site.domain}`, answer);
    const refusal = await refusalOf(world.verify(site, site.domain));
    expect(refusal).toMatch(new RegExp(`^domain_lookup_failed: "?.*_tessera.${site.domain}.*${words}`));
    expect((await world.get(site, site.domain)).verified).toBe(false);
  });

  test('is taken over by a fresh proof alone, on every node, and the old one counts no more (advisory-extra: domain takeover)', async () => {
    const before = await live();
    const { domain } = before;
    expect(await world.visit(domain, secondPort)).toBe(`200 ${before.id}`);
    const after = await world.site(world.rival);
    const { id } = await world.deploy(after);
    await world.add(after, domain);
    await world.prove(after, domain, [before.value]);
    await world.verify(after, domain);

    expect(await world.visit(domain)).toBe(`200 ${id}`);
    await expect.poll(() => world.visit(domain, secondPort), { timeout: 3_000 }).toBe(`200 ${id}`);
    const lost = await world.get(before, domain);
    expect(lost).toMatchObject({ verified: false, verifiedAt: null });
    expect(lost.verification![0]!.value).not.toBe(before.value);
    // Both records still stand in the DNS.
    expect(await refusalOf(world.verify(before, domain))).toMatch(/^domain_not_proven/);
    expect(await deployAt(before, domain)).toMatch(/^domain_proof_required/);
    expect((await world.deploy(before)).hosts).toHaveLength(1);
    expect(await world.visit(domain)).toBe(`200 ${id}`);

    const [record] = await world.audit(world.acme);
    expect(record).toEqual([
      'project-domain.lose',
      { name: domain, projectId: before.projectId, verifiedAt: expect.any(Number) },
    ]);
    const { records } = await world.call('audit-log.list', { query: { teamId: world.acme.id } });
    const lose = JSON.stringify(records.filter(({ action }) => action === 'project-domain.lose'));
    expect(lose).not.toContain(world.rival.id);
    expect(lose).not.toContain(after.projectId);
  });

  test('cuts what goes on at the deployment before, and nothing of the one after', async () => {
    const ticking = createServer((_request, response) => {
      response.writeHead(200).write('begun');
      const ticks = setInterval(() => response.write('.'), 200);
      response.on('close', () => clearInterval(ticks));
    });
    const running = await listen(ticking, 0);
    const upstream = running.url.replace('localhost', '127.0.0.1');
    try {
      const before = await live();
      const { domain } = before;
      await world.deploy(before, { upstream });
      const old = openStream(domain, world.tessera.environment.port);
      await expect.poll(() => old.text(), { timeout: 3_000 }).toMatch(/^begun\.{12}/);
      const after = await world.site(world.rival);
      await world.deploy(after, { upstream });
      await world.add(after, domain);
      await world.prove(after, domain);
      await world.verify(after, domain);
      const fresh = openStream(domain, world.tessera.environment.port);
      await expect.poll(() => old.isOver(), { timeout: 6_000 }).toBe(true);
      const soFar = fresh.text().length;
      await expect.poll(() => fresh.text().length, { timeout: 6_000 }).toBeGreaterThan(soFar + 15);
      expect(fresh.isOver()).toBe(false);
      fresh.end();
    } finally {
      await running.close();
    }
  }, 30_000);

  test('takes no share link and no exception of the project before along', async () => {
    const before = await live();
    const { domain } = before;
    const protect = (site: Site, body: object) =>
      world.call('projects.update', {
        params: { idOrName: site.projectId },
        query: { teamId: site.team.id },
        body,
      });
    const link = (site: Site, body: object) =>
      world.call('share-links.update', {
        params: { idOrHost: domain },
        query: { teamId: site.team.id },
        body,
      });
    await protect(before, { ssoProtection: { deploymentType: 'all' } });
    const { secret } = await link(before, {});
    const withLink = () => world.visit(domain, undefined, `/?_vercel_share=${secret}`);
    expect(await withLink()).not.toBe('401 SIGN_IN_REQUIRED');
    await protect(before, { protectionExceptions: [{ host: domain, confirm: domain }] });

    const after = await world.site(world.rival);
    await protect(after, { ssoProtection: { deploymentType: 'all' } });
    await world.deploy(after);
    await world.add(after, domain);
    await world.prove(after, domain);
    await world.verify(after, domain);
    expect(await world.visit(domain)).toBe('401 SIGN_IN_REQUIRED');
    expect(await withLink()).toBe('401 SIGN_IN_REQUIRED');
    const read = { params: { idOrHost: domain }, query: { teamId: world.rival.id } };
    expect((await world.call('share-links.get', read)).protectionBypass).toEqual({});
    expect(await refusalOf(link(after, { revoke: { secret, regenerate: false } }))).toMatch(/^not_found/);
    expect(await refusalOf(link(before, {}))).toMatch(/^not_found/);
  });

  test('is one project’s, of two that prove it at the same moment', async () => {
    const first = await world.site(world.acme);
    const second = await world.site(world.rival);
    const { domain } = first;
    const values = [];
    for (const site of [first, second]) {
      await world.deploy(site);
      values.push((await world.add(site, domain)).verification![0]!.value);
    }
    const texts = values.map((value) => [value]);
    const looks = [];
    // The second looks while the first does, and is told when the first has it.
    for (const site of [first, second]) {
      const look = { answer: (): void => undefined, outcome: Promise.resolve('') };
      const after = new Promise<void>((resolve) => (look.answer = resolve));
      world.dns.zone.set(`_tessera.${domain}`, { texts, after });
      const asked = world.dns.asked.length;
      look.outcome = refusalOf(world.verify(site, domain));
      await expect.poll(() => world.dns.asked.length - asked).toBeGreaterThanOrEqual(2);
      looks.push(look);
    }
    const outcomes = [];
    for (const { answer, outcome } of looks) {
      answer();
      outcomes.push((await outcome).split(':')[0]);
    }
    expect(outcomes).toEqual(['allowed', 'changed_meanwhile']);
    const verified = await Promise.all([first, second].map((site) => world.get(site, domain)));
    expect(verified.map((one) => one.verified)).toEqual([true, false]);
  });

  test('is not kept by a deployment that is made while it is taken over', async () => {
    const before = await live();
    const { domain } = before;
    const after = await world.site(world.rival);
    const { id } = await world.deploy(after);
    await world.add(after, domain);
    await world.prove(after, domain);
    const [, ...made] = await Promise.all([
      world.verify(after, domain),
      ...Array.from({ length: 8 }, () => world.deploy(before)),
    ]);
    expect(made).toHaveLength(8);
    expect(await world.visit(domain)).toBe(`200 ${id}`);
    expect((await world.deploy(before)).hosts).toHaveLength(1);
  });

  test('answers nowhere once it is taken away, on every node, and comes back by a new record alone', async () => {
    const site = await live();
    const { domain, value } = site;
    expect(await world.visit(domain, secondPort)).toBe(`200 ${site.id}`);
    expect(await world.remove(site, domain)).toEqual({});
    expect(await world.visit(domain)).toBe(closed);
    await expect.poll(() => world.visit(domain, secondPort), { timeout: 3_000 }).toBe(closed);
    expect(await refusalOf(world.get(site, domain))).toMatch(/^not_found/);
    expect(await deployAt(site, domain)).toMatch(/^domain_proof_required/);
    expect((await world.deploy(site)).hosts).toHaveLength(1);

    const again = await world.add(site, domain);
    expect(again.verification![0]!.value).not.toBe(value);
    expect(await refusalOf(world.verify(site, domain))).toMatch(/^domain_not_proven/);
    const other = await world.site(world.rival);
    expect(await deployAt(other, domain)).toMatch(/^domain_proof_required/);
    expect(await world.visit(domain)).toBe(closed);
    await world.prove(site, domain);
    await world.verify(site, domain);
    expect(await world.visit(domain)).toMatch(/^200 /);
  });

  test('dangles to nobody after its project: the next team needs a proof of its own (advisory-extra: dangling domains)', async () => {
    const gone = await live();
    const { domain } = gone;
    await world.call('projects.delete', {
      params: { idOrName: gone.projectId },
      query: { teamId: gone.team.id },
    });
    expect(await world.visit(domain)).toBe(closed);
    const next = await world.site(world.rival);
    const { id } = await world.deploy(next);
    expect(await deployAt(next, domain)).toMatch(/^domain_proof_required/);
    await world.add(next, domain);
    expect(await refusalOf(world.verify(next, domain))).toMatch(/^domain_not_proven/);
    expect(await world.visit(domain)).toBe(closed);
    await world.prove(next, domain);
    await world.verify(next, domain);
    expect(await world.visit(domain)).toBe(`200 ${id}`);
    // Another project of the team from before has nothing left to build upon.
    const again = await world.site(world.acme);
    await world.add(again, domain);
    expect(await refusalOf(world.verify(again, domain))).toMatch(/^domain_not_proven/);
  });

  test('of production is no preview’s, and of a preview no production’s', async () => {
    const { team, projectId, domain, id } = await live();
    const site = { team, projectId };
    expect(await deployAt(site, domain, { environment: 'preview' })).toMatch(
      /^host_refused: .*environment "production"; this deployment is of "preview"/,
    );
    expect((await world.deploy(site, { environment: 'preview' })).hosts).toHaveLength(1);
    expect(await world.visit(domain)).toBe(`200 ${id}`);
  });

  test('of another project of the same team is not had twice', async () => {
    const { domain } = await live();
    const sibling = await world.site();
    expect(await refusalOf(world.add(sibling, domain))).toMatch(/^domain_taken: .*project "prj_/);
    expect(await refusalOf(world.verify(sibling, domain))).toMatch(/^not_found/);
    expect(await refusalOf(world.remove(sibling, domain))).toMatch(/^not_found/);
    expect(await deployAt(sibling, domain)).toMatch(/^domain_proof_required/);
  });

  test('is no way to fill our tables', async () => {
    const site = await world.site();
    const names = Array.from({ length: 55 }, (_, index) => `n${index}.${site.domain}`);
    const outcomes = await Promise.all(names.map((name) => refusalOf(world.add(site, name))));
    expect(outcomes.filter((outcome) => outcome.startsWith('allowed'))).toHaveLength(50);
    expect(outcomes.filter((outcome) => outcome.startsWith('too_many_domains: '))).toHaveLength(5);
  });
});

describe.each(databaseKinds)('the name servers of others on %s', (kind) => {
  test('are not asked without end', async () => {
    const world = await createDomainWorld(kind);
    try {
      const site = await world.site();
      await world.add(site, site.domain);
      const outcomes = [];
      for (let tries = 0; tries < 62; tries++)
        outcomes.push((await refusalOf(world.verify(site, site.domain))).split(':')[0]);
      expect(new Set(outcomes.slice(0, 60))).toEqual(new Set(['domain_not_proven']));
      expect(outcomes.slice(60)).toEqual(['too_many_domain_proofs', 'too_many_domain_proofs']);
      world.tessera.advance(11 * 60_000);
      expect(await refusalOf(world.verify(site, site.domain))).toMatch(/^domain_not_proven/);
    } finally {
      await world.close();
    }
  });
});
