import { createPrivateKey } from 'node:crypto';
import { Resolver } from 'node:dns';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  describeConfig,
  findCertificateProblems,
  findCertificateWarnings,
  parseConfig,
  readMasterKey,
} from '#config';
import { createCertificate } from '../../../../tests/harness/certificate.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function valid(environment: Record<string, string>) {
  const result = parseConfig(environment);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}
function problemsOf(environment: Record<string, string>): string[] {
  const result = parseConfig(environment);
  return 'problems' in result ? result.problems.map(({ name, problem }) => `${name} ${problem}`) : [];
}

const production = {
  TESSERA_PUBLIC_URL: 'https://id.example.com',
  TESSERA_DEPLOYMENT_DOMAIN: 'example.app',
};

describe('the configuration', () => {
  it('needs nothing on a developer’s machine', () => {
    const { config } = valid({});
    expect(config.urls).toEqual({
      origin: 'http://localhost:4000',
      api: 'http://localhost:4000/api',
      oidc: 'http://localhost:4000/oidc',
      passport: 'http://localhost:4000/passport',
      connect: 'http://localhost:4000/connect',
    });
    expect(config.deployments).toEqual({ protocol: 'http:', domain: 'app.localhost', port: '4000' });
    expect(config.upstreamAllow.all).toEqual(['127.0.0.0/8', '::1']);
  });

  it('follows one public URL, and lets each role be set alone', () => {
    const { config } = valid({ ...production, TESSERA_OIDC_URL: 'https://oidc.example.com/' });
    expect(config.urls.api).toBe('https://id.example.com/api');
    expect(config.urls.oidc).toBe('https://oidc.example.com');
    expect(config.development).toBe(false);
    expect(config.upstreamAllow.all).toEqual([]);
  });

  it('lists every problem at once', () => {
    const problems = problemsOf({
      TESSERA_PUBLIC_URL: 'http://id.example.com',
      TESSERA_LISTEN: 'nonsense',
      TESSERA_TRUST_PROXY: '10.0.0.0/99',
      TESSERA_PUBLICURL: 'x',
      TESSERA_SOMETHING_ELSE_ENTIRELY: 'x',
    });
    expect(problems).toHaveLength(5);
    expect(problems.join('\n')).toContain(
      'TESSERA_PUBLICURL is no name of the configuration; did you mean TESSERA_PUBLIC_URL?',
    );
    expect(problems.join('\n')).toContain('tokens would travel in the clear');
  });

  it.each([
    ['an http issuer outside loopback', { TESSERA_PUBLIC_URL: 'http://10.0.0.1:4000' }, 'plain http'],
    [
      'a gateway without a deployment domain',
      { TESSERA_PUBLIC_URL: 'https://id.example.com' },
      'TESSERA_DEPLOYMENT_DOMAIN is missing',
    ],
    [
      'two roles at one URL',
      { ...production, TESSERA_API_URL: 'https://id.example.com' },
      'the same base URL',
    ],
    [
      'a role host among the deployments',
      { ...production, TESSERA_DEPLOYMENT_DOMAIN: 'example.com' },
      'contains the host of a role',
    ],
    [
      'PostgreSQL without a master key',
      { TESSERA_DATABASE_URL: 'postgres://x/y' },
      'every node needs the same key',
    ],
    ['an unknown database', { TESSERA_DATABASE_URL: 'mysql://root:secret@x/y' }, 'expected sqlite:PATH'],
    ['an unknown role', { TESSERA_ROLES: 'identity,proxy' }, "'proxy' is none of identity, gateway"],
    ['a wire prefix that is no header name', { TESSERA_WIRE_PREFIX: 'Ä' }, 'is not a prefix'],
    ['two master keys', { TESSERA_MASTER_KEY: 'a', TESSERA_MASTER_KEY_FILE: 'b' }, 'given twice'],
  ])('refuses %s', (_, environment, problem) => {
    expect(problemsOf(environment).join('\n')).toContain(problem);
  });

  it('does not call missing what it could not read', () => {
    const domain = { ...production, TESSERA_DEPLOYMENT_DOMAIN: 'https://example.app' };
    expect(problemsOf(domain)).toEqual([expect.stringContaining('is not a domain')]);
    const proxies = { TESSERA_DECISION_LISTEN: '4002', TESSERA_DECISION_PROXIES: 'edge:short=a.example.app' };
    expect(problemsOf(proxies)).toEqual([expect.stringContaining('another form')]);
  });

  it('warns of deployments that share a site with the login', () => {
    const { warnings } = valid({ ...production, TESSERA_DEPLOYMENT_DOMAIN: 'apps.example.com' });
    expect(warnings).toHaveLength(1);
  });

  it('lets nobody register and reads no document unless told to', () => {
    expect(valid({}).config).toMatchObject({
      registration: undefined,
      clientIdDocuments: false,
      openIntrospection: false,
    });
    expect(valid({ TESSERA_OPEN_INTROSPECTION: 'on' }).config.openIntrospection).toBe(true);
    const token = 'i'.repeat(40);
    const open = valid({
      TESSERA_DYNAMIC_REGISTRATION: 'on',
      TESSERA_REGISTRATION_TOKEN: token,
      TESSERA_REGISTRATION_QUOTA: '5',
      TESSERA_CLIENT_ID_DOCUMENTS: 'on',
    });
    expect(open.config).toMatchObject({
      registration: { initialAccessToken: token, most: 5, days: 90 },
      clientIdDocuments: true,
    });
    expect(describeConfig(open.config)).not.toContain(token);
    const wrong = problemsOf({
      TESSERA_REGISTRATION_TOKEN: token,
      TESSERA_REGISTRATION_QUOTA: '0',
      TESSERA_CLIENT_ID_DOCUMENTS: 'yes',
    });
    expect(wrong.map((problem) => problem.split(' ')[0] ?? '').toSorted()).toEqual([
      'TESSERA_CLIENT_ID_DOCUMENTS',
      'TESSERA_REGISTRATION_QUOTA',
      'TESSERA_REGISTRATION_TOKEN',
    ]);
  });

  it('prints itself without secrets', () => {
    const { config } = valid({
      TESSERA_DATABASE_URL: 'postgres://tessera:hunter2@db.example.com/tessera',
      TESSERA_MASTER_KEY: 'A'.repeat(43),
      TESSERA_SMTP_URL: 'smtp://mailer:hunter3@mail.example.com:587',
    });
    const printed = describeConfig(config);
    expect(printed).toContain('postgres://[redacted]@db.example.com/tessera');
    expect(printed).not.toMatch(/hunter|AAAA/);
  });
});

describe('the master key', () => {
  it('is made once, for its owner alone', () => {
    const path = join(folder, 'fresh', 'master-key');
    const made = readMasterKey({ from: 'data', path });
    expect(made).toBeInstanceOf(Uint8Array);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readMasterKey({ from: 'data', path })).toEqual(made);
  });

  it('is refused from a file that others can read', () => {
    const path = join(folder, 'open');
    writeFileSync(path, 'A'.repeat(43));
    chmodSync(path, 0o644);
    expect(readMasterKey({ from: 'file', path })).toMatchObject({
      problem: expect.stringContaining('mode 0644'),
    });
  });

  it('is refused when it is no key or no file', () => {
    expect(readMasterKey({ from: 'value', text: 'short' })).toMatchObject({
      problem: expect.stringContaining('32 bytes'),
    });
    const noFolder = join(folder, 'a-file', 'master-key');
    writeFileSync(join(folder, 'a-file'), '');
    expect(readMasterKey({ from: 'data', path: noFolder })).toEqual({
      name: 'TESSERA_DATA',
      problem: `${noFolder} cannot be made or read (EEXIST)`,
    });
    expect(readMasterKey({ from: 'file', path: join(folder, 'none') })).toMatchObject({
      problem: expect.stringContaining('ENOENT'),
    });
  });
});

describe('front proxies', () => {
  const secret = 'x'.repeat(32);
  const problemsOf = (variables: Record<string, string>) => {
    const result = parseConfig(variables);
    return 'problems' in result ? result.problems.map(({ problem }) => problem).join('\n') : '';
  };

  it('each have a credential and hosts of their own', () => {
    const result = parseConfig({
      TESSERA_DECISION_LISTEN: '127.0.0.1:4002',
      TESSERA_DECISION_PROXIES: `edge:${secret}=Docs.example.app  *.preview.example.app, two:${secret}2=a.example.app`,
    });
    if (!('config' in result)) throw new Error(JSON.stringify(result.problems));
    expect(result.config.decisions?.proxies).toEqual([
      { name: 'edge', credential: secret, hosts: ['docs.example.app', '*.preview.example.app'] },
      { name: 'two', credential: `${secret}2`, hosts: ['a.example.app'] },
    ]);
    const described = describeConfig(result.config);
    expect(described).toContain('edge:[redacted]=docs.example.app *.preview.example.app');
    expect(described).not.toContain(secret);
  });

  it.each([
    ['nothing to bind', `edge:${secret}`, 'another form'],
    ['a short credential', 'edge:short=a.example.app', 'another form'],
    ['every host', `edge:${secret}=*`, "binds edge to '*'"],
    ['a host with a port', `edge:${secret}=a.example.app:443`, 'not a host'],
    ['one name twice', `edge:${secret}=a.example.app, edge:${secret}2=b.example.app`, 'one name'],
    ['one credential twice', `a:${secret}=a.example.app, b:${secret}=b.example.app`, 'one credential'],
  ])('are refused with %s, without the credential in the message', (_title, proxies, problem) => {
    const problems = problemsOf({
      TESSERA_DECISION_LISTEN: '127.0.0.1:4002',
      TESSERA_DECISION_PROXIES: proxies,
    });
    expect(problems).toContain(problem);
    expect(problems).not.toContain(secret);
  });

  it('need a listener, and a listener needs them and the gateway', () => {
    expect(problemsOf({ TESSERA_DECISION_PROXIES: `edge:${secret}=a.example.app` })).toContain('is missing');
    expect(problemsOf({ TESSERA_DECISION_LISTEN: '4002' })).toContain('no proxy may ask');
    const noGateway = {
      TESSERA_DECISION_LISTEN: '4002',
      TESSERA_DECISION_PROXIES: `edge:${secret}=a.example.app`,
      TESSERA_ROLES: 'identity',
    };
    expect(problemsOf(noGateway)).toContain('no gateway');
  });
});

describe('the listener for running deployments', () => {
  it('is off, a socket, or a port of loopback', () => {
    const placeOf = (TESSERA_WORKLOAD_LISTEN?: string) => {
      const result = parseConfig({ TESSERA_WORKLOAD_LISTEN });
      if (!('config' in result)) throw new Error(JSON.stringify(result.problems));
      return [result.config.workloadListen, describeConfig(result.config)] as const;
    };
    expect(placeOf()[0]).toBeUndefined();
    const [socket, described] = placeOf('unix:/run/tessera/workload.sock');
    expect(socket).toMatchObject({ socketPath: '/run/tessera/workload.sock' });
    expect(described).toMatch(/TESSERA_WORKLOAD_LISTEN +unix:\/run\/tessera\/workload\.sock/);
    for (const [text, host] of [
      ['4003', '127.0.0.1'],
      ['127.0.0.2:4003', '127.0.0.2'],
      ['[::1]:4003', '::1'],
      ['localhost:4003', 'localhost'],
    ]) {
      expect(placeOf(text)[0]).toEqual({ host, port: 4003, socketPath: undefined });
    }
  });

  it.each([
    '0.0.0.0:4003',
    '[::]:4003',
    '10.0.0.1:4003',
    'id.example.com:4003',
    '127.evil.example:4003',
    '[::ffff:10.0.0.1]:4003',
    '127.0.0.1:0',
    'unix:workload.sock',
    'unix:',
    `unix:/${'a'.repeat(103)}`,
  ])('is refused at %s', (TESSERA_WORKLOAD_LISTEN) => {
    expect(problemsOf({ TESSERA_WORKLOAD_LISTEN }).join('\n')).toMatch(/^TESSERA_WORKLOAD_LISTEN /);
  });
});

describe('certificates', () => {
  it('are pairs of files', () => {
    const result = parseConfig({ TESSERA_TLS_CERTIFICATES: '/a.pem:/a.key, /b.pem:/b.key' });
    expect('config' in result && result.config.certificates).toEqual([
      { certificate: '/a.pem', key: '/a.key' },
      { certificate: '/b.pem', key: '/b.key' },
    ]);
  });

  it.each(['/a.pem', ':/a.key', '/a.pem:', '/a:/b:/c'])('are not %s', (given) => {
    const result = parseConfig({ TESSERA_TLS_CERTIFICATES: given });
    expect('problems' in result && result.problems[0]?.problem).toContain('is not CERTIFICATE:KEY');
  });
});

describe('the files of certificates', () => {
  const own = createCertificate(['id.example.com']);
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const certificate = file('id.pem', own.certificate);
  const key = file('id.key', own.key);
  const problemOf = (certificatePath: string, keyPath: string) =>
    findCertificateProblems({ certificates: [{ certificate: certificatePath, key: keyPath }] })
      .map(({ name, problem }) => `${name} ${problem}`)
      .join('\n');

  it('are a certificate and its key', () => {
    expect(problemOf(certificate, key)).toBe('');
  });

  it('are warned of when browsers would refuse them', () => {
    const apps = createCertificate(['*.example.app']);
    const both = {
      ...production,
      TESSERA_TLS_CERTIFICATES: `${certificate}:${key}, ${file('apps.pem', apps.certificate)}:${file('apps.key', apps.key)}`,
    };
    const warningsOf = (environment: Record<string, string>, now = Date.now()) =>
      findCertificateWarnings(valid(environment).config, now).map(({ problem }) => problem);
    expect(warningsOf(both)).toEqual([]);
    expect(warningsOf(production)).toEqual([]);
    expect(warningsOf({ ...production, TESSERA_TLS_CERTIFICATES: `${certificate}:${key}` })).toEqual([
      'has no certificate that names *.example.app; browsers will refuse it',
    ]);
    const year = 365 * 86_400_000;
    expect(warningsOf(both, Date.now() + year)).toEqual([
      expect.stringMatching(/id\.pem has run out at 20/),
      expect.stringMatching(/apps\.pem has run out at 20/),
    ]);
    expect(warningsOf(both, Date.now() - year)[0]).toContain('is not good before');
  });

  it.each([
    ['a file that is not there', join(folder, 'none.pem'), key, 'none.pem cannot be read (ENOENT)'],
    ['a folder', certificate, folder, 'cannot be read (EISDIR)'],
    ['the two changed about', key, certificate, 'id.key is no certificate in PEM'],
    ['an empty certificate', file('empty.pem', ''), key, 'empty.pem is no certificate in PEM'],
    ['another text as the key', certificate, file('junk.key', 'junk'), 'junk.key is no key in PEM'],
    [
      'the key of another',
      certificate,
      file('other.key', createCertificate(['id.example.com']).key),
      'other.key is the key of another certificate than',
    ],
    [
      'a locked key',
      certificate,
      file(
        'locked.key',
        createPrivateKey(own.key)
          .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
          .toString(),
      ),
      'locked.key is locked by a passphrase',
    ],
  ])('are not %s', (_, certificatePath, keyPath, problem) => {
    expect(problemOf(certificatePath, keyPath)).toMatch(/^TESSERA_TLS_CERTIFICATES /);
    expect(problemOf(certificatePath, keyPath)).toContain(problem);
  });
});

describe('resolvers for the proof of domains', () => {
  it('are those of the system, or are named by address', () => {
    const serversOf = (given?: string) => {
      const result = parseConfig(given === undefined ? {} : { TESSERA_DNS_SERVERS: given });
      return 'config' in result && result.config.dnsServers;
    };
    expect(serversOf()).toEqual([]);
    const given = ['192.0.2.53', '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]', '[2001:db8::53]:5353'];
    expect(serversOf(given.join(', '))).toEqual(given);
    expect(() => new Resolver().setServers(given)).not.toThrow();
  });

  it.each(['dns.example.com', '192.0.2.53:0', '192.0.2.53:65536', '192.0.2', '[192.0.2.1]:53', '::1:5353:x'])(
    'are not %s',
    (TESSERA_DNS_SERVERS) => {
      expect(problemsOf({ TESSERA_DNS_SERVERS }).join('\n')).toMatch(
        /^TESSERA_DNS_SERVERS .*not the address of a name server/,
      );
    },
  );
});
