import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInstalled } from '../front-proxies/front-proxies.ts';
import type { Echo } from '../harness/echo-upstream.ts';
import { findFreePort } from '../harness/free-port.ts';
import { send } from '../harness/send.ts';
import { createDomainWorld, type DomainWorld, type Site } from './domain-world.ts';

const program = 'caddy';

describe('a proxy that gets certificates by itself', () => {
  let world: DomainWorld;
  let operations: string;
  beforeAll(async () => {
    world = await createDomainWorld('sqlite');
    operations = world.tessera.environment.variables['TESSERA_OPERATIONS_LISTEN']!;
  });
  afterAll(() => world?.close());

  const known = async (query: string) => (await send(`http://${operations}/known-host${query}`)).status;

  async function proven(): Promise<Site & { domain: string }> {
    const site = await world.site();
    await world.add(site, site.domain);
    await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    return site;
  }

  test('is told of hosts at which a deployment answers, and of no other name', async () => {
    const site = await world.site();
    await world.add(site, site.domain);
    const { hosts } = await world.deploy(site);
    const at = `?domain=${site.domain}`;
    expect([await known(at), await known(`?domain=${hosts[0]!.host}`)]).toEqual([404, 200]);
    await world.prove(site, site.domain);
    await world.verify(site, site.domain);
    expect([await known(at), await known(at.toUpperCase().replace('DOMAIN', 'domain'))]).toEqual([200, 200]);
    for (const other of [
      '',
      '?domain=',
      '?domain=localhost',
      `${at}:443`,
      `${at}.`,
      `?domain=x.${site.domain}`,
    ])
      expect([other, await known(other)]).toEqual([other, 404]);
    await world.remove(site, site.domain);
    expect(await known(at)).toBe(404);
    expect((await send(`${world.tessera.urls.origin}/known-host?domain=${hosts[0]!.host}`)).status).toBe(404);
  });

  describe.skipIf(!isInstalled(program))('which is Caddy', () => {
    let folder: string;
    let caddy: ChildProcess;
    let port: number;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tessera-caddy-'));
      port = await findFreePort();
      const file = join(folder, 'Caddyfile');
      writeFileSync(
        file,
        `{
	admin off
	skip_install_trust
	auto_https disable_redirects
	storage file_system ${folder}
	on_demand_tls {
		ask http://${operations}/known-host
	}
}

https://:${port} {
	tls internal {
		on_demand
	}
	reverse_proxy 127.0.0.1:${world.tessera.environment.port}
}
`,
      );
      caddy = spawn(program, ['run', '--config', file, '--adapter', 'caddyfile'], {
        env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
        stdio: 'ignore',
      });
    });
    afterAll(async () => {
      const ended = new Promise((resolve) => caddy.once('exit', resolve));
      caddy.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    });

    /** The names in the certificate that is shown for a name, or why there is none. */
    const certificateFor = (servername: string) =>
      new Promise<string>((resolve) => {
        const socket: TLSSocket = connect(
          { host: '127.0.0.1', port, servername, rejectUnauthorized: false },
          () => {
            resolve(socket.getPeerCertificate().subjectaltname ?? '');
            socket.destroy();
          },
        );
        socket.on('error', ({ message }) => resolve(message));
      });

    test('has one for a proven domain from its first visit on, and none for another', async () => {
      const site = await proven();
      const { id } = await world.deploy(site);
      await expect.poll(() => certificateFor(site.domain), { timeout: 20_000 }).toBe(`DNS:${site.domain}`);
      for (const name of [`x.${site.domain}`, 'www.stranger.com'])
        expect(await certificateFor(name)).toContain('alert');
      const answer = await new Promise<string>((resolve, reject) => {
        const asked = request(
          {
            host: '127.0.0.1',
            port,
            servername: site.domain,
            headers: { host: `${site.domain}:${world.tessera.environment.port}` },
            rejectUnauthorized: false,
          },
          (response) => {
            response.setEncoding('utf8');
            let text = '';
            response.on('data', (part: string) => (text += part)).on('end', () => resolve(text));
          },
        );
        asked.on('error', reject).end();
      });
      const { headers } = JSON.parse(answer) as Echo;
      expect(decodeJwt(headers['x-vercel-oidc-token']!)['deployment_id']).toBe(id);
    }, 30_000);
  });
});
