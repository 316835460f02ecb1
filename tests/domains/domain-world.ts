import { decodeJwt } from 'jose';
import { createClient, ProblemError, type Client } from '../../packages/contract/src/index.ts';
import type { Running } from '../../examples/listen.ts';
import { startDnsServer, type DnsServer } from '../harness/dns-server.ts';
import { startEchoUpstream } from '../harness/echo-upstream.ts';
import { createApiToken, setUpPerson, type Person } from '../harness/front-door.ts';
import { send, type Answer } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import type { DatabaseKind } from '../harness/test-databases.ts';

export type Team = { id: string; slug: string };
export type Site = { team: Team; projectId: string };
export type Deployed = { id: string; hosts: { host: string; kind: string }[]; url: string };

/** An instance with a name server of its own, two teams of one administrator, and a deployment that echoes. */
export type DomainWorld = Awaited<ReturnType<typeof createDomainWorld>>;

export async function createDomainWorld(kind: DatabaseKind, variables: Record<string, string> = {}) {
  const dns = await startDnsServer();
  const tessera = await startTessera(kind, {
    variables: { TESSERA_DNS_SERVERS: dns.address, ...variables },
  });
  const upstream = await startEchoUpstream();
  const admin = await setUpPerson(tessera.setUpLink!, {
    email: 'ada@acme.example',
    name: 'Ada',
    password: 'correct horse battery staple 7',
  });
  const token = await createApiToken(tessera.urls.origin, admin, { name: 'scripts' });
  const call = createClient({ baseUrl: tessera.urls.api, token });
  const teamOf = async (slug: string): Promise<Team> => ({
    id: (await call('teams.create', { body: { slug, name: slug } })).id,
    slug,
  });
  const [acme, rival] = [await teamOf('acme'), await teamOf('rival')];
  let made = 0;
  return {
    ...parts({ dns, tessera, upstream, admin, token, call }),
    acme,
    rival,
    /** A new project; `domain` is one that nobody has named yet. */
    async site(team: Team = acme): Promise<Site & { domain: string }> {
      const name = `site-${++made}`;
      const { id } = await call('projects.create', { query: { teamId: team.id }, body: { name } });
      return { team, projectId: id, domain: `www.shop-${made}.com` };
    },
    async close() {
      await tessera.close();
      await upstream.close();
      await dns.close();
    },
  };
}

type Parts = {
  dns: DnsServer;
  tessera: RunningTessera;
  upstream: Running;
  admin: Person;
  token: string;
  call: Client;
};

function parts({ dns, tessera, upstream, admin, token, call }: Parts) {
  const of = ({ team, projectId }: Site) => ({
    query: { teamId: team.id },
    params: { idOrName: projectId },
  });
  const ofDomain = (site: Site, domain: string) => ({
    query: { teamId: site.team.id },
    params: { idOrName: site.projectId, domain },
  });
  return {
    dns,
    tessera,
    admin,
    token,
    call,
    add: (site: Site, name: string, environment?: string) =>
      call('project-domains.add', {
        ...of(site),
        body: { name, ...(environment === undefined ? {} : { environment }) },
      }),
    get: (site: Site, name: string) => call('project-domains.get', ofDomain(site, name)),
    list: async (site: Site) => (await call('project-domains.list', of(site))).domains,
    verify: (site: Site, name: string) => call('project-domains.verify', ofDomain(site, name)),
    remove: (site: Site, name: string) => call('project-domains.remove', ofDomain(site, name)),
    /** Sets the TXT record that the API asks for, as the owner of the zone would. */
    async prove(site: Site, name: string, ...others: (readonly string[])[]): Promise<string> {
      const { verification } = await call('project-domains.get', ofDomain(site, name));
      const [record] = verification ?? [];
      if (record === undefined) throw new Error(`${name} asks for no record`);
      dns.zone.set(record.domain, { texts: [...others, [record.value]] });
      return record.value;
    },
    deploy: (site: Site, more: object = {}): Promise<Deployed> =>
      call('deployments.create', {
        query: { teamId: site.team.id },
        body: {
          projectId: site.projectId,
          environment: 'production',
          upstream: upstream.url.replace('localhost', '127.0.0.1'),
          ...more,
        },
      }),
    /** A GET at a host as a program sends it: status, and the id of the deployment that answered. */
    async visit(host: string, port = tessera.environment.port, path = '/'): Promise<string> {
      const answer: Answer = await send(`http://${host}:${tessera.environment.port}${path}`, { port });
      if (answer.status !== 200) return `${answer.status} ${String(answer.headers['x-vercel-error'])}`;
      const { headers } = answer.json() as { headers: Record<string, string> };
      return `200 ${String(decodeJwt(headers['x-vercel-oidc-token'] ?? '')['deployment_id'])}`;
    },
    /** What is on a team's record about its domains, the newest first: action, before, after. */
    async audit(team: Team) {
      const { records } = await call('audit-log.list', { query: { teamId: team.id, limit: 100 } });
      return records
        .filter(({ action }) => action.startsWith('project-domain.'))
        .map(({ action, before, after }) => [action, before ?? after]);
    },
  };
}

/** `code: detail mend` of a refusal; what was answered otherwise. */
export async function refusalOf(asked: Promise<unknown>): Promise<string> {
  try {
    return `allowed: ${JSON.stringify(await asked)}`;
  } catch (error) {
    if (!(error instanceof ProblemError)) return String(error);
    const { code, detail, mend } = error.problem;
    return `${code}: ${detail} ${mend}`;
  }
}
