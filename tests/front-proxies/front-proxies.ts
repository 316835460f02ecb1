import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificate } from '../harness/certificate.ts';
import { startStandIn } from './stand-ins.ts';

export const proxyKinds = ['nginx', 'caddy', 'haproxy', 'traefik', 'envoy'] as const;
export type ProxyKind = (typeof proxyKinds)[number];

/** Where a front proxy listens, and whom it asks and forwards to. All on loopback. */
export type ProxyPlaces = {
  port: number;
  tessera: number;
  decisions: number;
  deployment: number;
  credential: string;
  /** How long a decision may take, where the ready configuration says ten seconds. */
  patienceSeconds?: number;
};

export type FrontProxy = { close(): Promise<void> };

/** nginx, Caddy and HAProxy are run as they are; Traefik and Envoy are stood in for, by what they document. */
export function isInstalled(kind: ProxyKind): boolean {
  if (kind === 'traefik' || kind === 'envoy') return true;
  return spawnSync(kind, [kind === 'caddy' ? 'version' : '-v'], { env: withSystemPath() }).status === 0;
}

const configurations = join(import.meta.dirname, '../../docs/guides/front-proxies');

/** Starts a front proxy with the ready configuration, in which only places, names of files and the secret are filled in. */
export async function startFrontProxy(kind: ProxyKind, places: ProxyPlaces): Promise<FrontProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-front-proxy-'));
  const { certificate, key } = createCertificate(['id.example.com', '*.example.app']);
  mkdirSync(join(folder, 'tls'));
  writeFileSync(join(folder, 'tls/certificate.pem'), certificate);
  writeFileSync(join(folder, 'tls/key.pem'), key);
  writeFileSync(join(folder, 'tls/both.pem'), certificate + key);
  const ready = (file: string) => readFileSync(join(configurations, file), 'utf8');
  const before = kind === 'envoy' ? ', port_value: ' : ':';
  const fill = (text: string) =>
    replaceAll(text, [
      ['/etc/tessera/', `${folder}/`],
      [`127.0.0.1${before}4000`, `127.0.0.1${before}${places.tessera}`],
      [`127.0.0.1${before}4002`, `127.0.0.1${before}${places.decisions}`],
      [`127.0.0.1${before}3000`, `127.0.0.1${before}${places.deployment}`],
      ['PUT-THE-CREDENTIAL-OF-THIS-PROXY-HERE', places.credential],
    ]);
  const patience = places.patienceSeconds ?? 10;
  const write = (file: string, text: string) => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  const removed = async (close: () => Promise<void>) => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  };

  switch (kind) {
    case 'nginx': {
      // An ordinary user may not write where Debian's nginx does.
      const writable = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${folder}/${name};`)
        .join(' ');
      const text = replaceAll(fill(ready('nginx.conf')), [
        ['listen 443 ssl', `listen 127.0.0.1:${places.port} ssl`],
        ['proxy_read_timeout 10s;', `proxy_read_timeout ${patience}s;`],
        ['http {\n', `http {\n    access_log off; ${writable}\n`],
      ]);
      const file = write('nginx.conf', text);
      const child = run('nginx', [
        '-p',
        folder,
        '-c',
        file,
        '-e',
        'stderr',
        '-g',
        `daemon off; pid ${folder}/nginx.pid;${process.getuid?.() === 0 ? ' user root;' : ''}`,
      ]);
      return started(child, places.port, removed);
    }
    case 'caddy': {
      const text = replaceAll(fill(ready('Caddyfile')), [
        ['response_header_timeout 10s', `response_header_timeout ${patience}s`],
        [
          'admin off\n',
          `admin off\n\tauto_https disable_redirects\n\thttps_port ${places.port}\n\tdefault_bind 127.0.0.1\n`,
        ],
      ]);
      const file = write('Caddyfile', text);
      const child = run('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], {
        HOME: folder,
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      });
      return started(child, places.port, removed);
    }
    case 'haproxy': {
      const script = write(
        'tessera.lua',
        replaceAll(ready('tessera.lua'), [['local patience = 10000', `local patience = ${patience}000`]]),
      );
      const text = replaceAll(fill(ready('haproxy.cfg')), [
        ['/etc/haproxy/tessera.lua', script],
        ['bind :443', `bind 127.0.0.1:${places.port}`],
      ]);
      return started(run('haproxy', ['-db', '-f', write('haproxy.cfg', text)]), places.port, removed);
    }
    case 'traefik':
    case 'envoy': {
      const text = fill(ready(kind === 'traefik' ? 'traefik.yml' : 'envoy.yaml'));
      const standIn = await startStandIn(kind, text, { ...places, certificate, key });
      return { close: () => removed(() => standIn.close()) };
    }
  }
}

/** Every text must be there: a configuration that was changed must not be tested by halves. */
function replaceAll(text: string, pairs: readonly (readonly [string, string])[]): string {
  let filled = text;
  for (const [from, to] of pairs) {
    // The files name the folder of certificates only where they need it.
    if (!filled.includes(from) && from !== '/etc/tessera/' && !from.startsWith('PUT-')) {
      throw new Error(`the ready configuration has no "${from}"`);
    }
    filled = filled.replaceAll(from, to);
  }
  return filled;
}

function run(command: string, args: string[], variables: Record<string, string> = {}): ChildProcess {
  return spawn(command, args, {
    env: { ...withSystemPath(), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Debian keeps these where an ordinary user does not look. */
function withSystemPath(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
}

async function started(
  child: ChildProcess,
  port: number,
  removed: (close: () => Promise<void>) => Promise<void>,
): Promise<FrontProxy> {
  let heard = '';
  const hear = (chunk: Buffer) => {
    heard = (heard + chunk.toString()).slice(-4_000);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const close = () =>
    removed(async () => {
      child.kill('SIGTERM');
      const cut = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await ended;
      clearTimeout(cut);
    });
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break;
    if (await isListening(port)) return { close };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await close();
  throw new Error(`the front proxy did not start: ${heard}`);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
