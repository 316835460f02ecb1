import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeCertificate } from '../harness/certificate.ts';
import { createCookieJar, type CookieJar } from '../harness/cookie-jar.ts';
import { findFreePort } from '../harness/free-port.ts';
import { findForm, findText } from '../harness/html.ts';
import { openHttp2, type Http2Answer, type Http2Connection } from '../harness/http2.ts';
import {
  createPassportWorld,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

const navigation = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
};

describe.each(databaseKinds)('a password over HTTP/2, on %s', (kind) => {
  const certificate = writeCertificate(['id.example.com', '*.example.app']);
  let tessera: RunningTessera;
  let world: PassportWorld;
  let site: ProtectedDeployment;
  let connection: Http2Connection;

  const before = getGlobalDispatcher();

  beforeAll(async () => {
    // The REST client goes by `fetch`, which knows neither these names nor this certificate.
    setGlobalDispatcher(
      new Agent({
        connect: {
          rejectUnauthorized: false,
          lookup: (_host, options, callback) =>
            options.all
              ? callback(null, [{ address: '127.0.0.1', family: 4 }])
              : callback(null, '127.0.0.1', 4),
        },
      }),
    );
    const port = await findFreePort();
    const origin = `https://id.example.com:${port}`;
    tessera = await startTessera(kind, {
      variables: {
        TESSERA_PUBLIC_URL: origin,
        TESSERA_LISTEN: `127.0.0.1:${port}`,
        TESSERA_DEPLOYMENT_DOMAIN: 'example.app',
        TESSERA_UPSTREAM_ALLOW: '127.0.0.0/8',
        TESSERA_TLS_CERTIFICATES: `${certificate.files.certificate}:${certificate.files.key}`,
      },
    });
    const [api, oidc, passport, connect] = ['api', 'oidc', 'passport', 'connect'].map(
      (part) => `${origin}/${part}`,
    ) as [string, string, string, string];
    world = await createPassportWorld({ origin, api, oidc, passport, connect }, tessera.setUpLink);
    site = await world.protect('guarded');
    await world.call('projects.update', {
      params: { idOrName: site.projectId },
      query: { teamId: world.team.id },
      body: { passport: null, passwordProtection: { deploymentType: 'all', password: 'offenes Tor ä🔑' } },
    });
    connection = openHttp2(site.url);
  });
  afterAll(async () => {
    setGlobalDispatcher(before);
    connection?.close();
    await world?.close();
    await tessera?.close();
    certificate.remove();
  });

  /** A browser: what it opens, and what a form of it sends. */
  function browse(jar: CookieJar = createCookieJar()) {
    const keep = (answer: Http2Answer) => {
      jar.store(new URL(site.url), answer.headers['set-cookie'] as string[] | undefined);
      return answer;
    };
    const cookie = () => {
      const value = jar.header(new URL(site.url));
      return value === undefined ? {} : { cookie: value };
    };
    const open = async (path: string) =>
      keep(await connection.ask({ ':path': path, ...navigation, ...cookie() }));
    const submit = async (page: Http2Answer, password: string, more: Record<string, string> = {}) => {
      const { action, fields } = findForm(page.text, 'password', new URL(site.url));
      const headers = {
        ':method': 'POST',
        ':path': action.pathname,
        'content-type': 'application/x-www-form-urlencoded',
        origin: site.url,
        'sec-fetch-site': 'same-origin',
        accept: 'text/html',
        ...cookie(),
        ...more,
      };
      return keep(await connection.ask(headers, new URLSearchParams({ ...fields, password }).toString()));
    };
    /** To the form, which is one redirect away. */
    const ask = async (path: string) => {
      const { status, headers } = await open(path);
      expect(status).toBe(303);
      const at = new URL(String(headers['location']));
      return open(at.pathname + at.search);
    };
    return { jar, open, ask, submit };
  }

  test('is asked for, refused, and let through to the page that was asked for', async () => {
    const visitor = browse();
    const form = await visitor.ask('/reports?year=2026');
    expect(form.status).toBe(200);
    const wrong = await visitor.submit(form, 'offenes Tor');
    expect(wrong.status).toBe(422);
    expect(findText(wrong.text, 'error-reference')).toMatch(/^ref_/);
    const right = await visitor.submit(wrong, 'offenes Tor ä🔑');
    expect([right.status, right.headers['location']]).toEqual([303, `${site.url}/reports?year=2026`]);
    expect(visitor.jar.list().map(({ name }) => name)).toContain('__Host-_vercel_passport_companion');
    const page = await visitor.open('/reports?year=2026');
    expect(page.status).toBe(200);
    expect(JSON.parse(page.text)).toMatchObject({ url: '/reports?year=2026' });
    expect(page.text).not.toContain('_vercel_passport');
  });

  test('is not taken from another site, nor in another form, nor beyond 16 KiB', async () => {
    const visitor = browse();
    const form = await visitor.ask('/');
    const password = 'offenes Tor ä🔑';
    const refusals = [
      await visitor.submit(form, password, {
        origin: 'https://evil.example',
        'sec-fetch-site': 'cross-site',
      }),
      await visitor.submit(form, password, { 'content-type': 'text/plain' }),
      await visitor.submit(form, 'a'.repeat(20_000)),
      await browse().submit(form, password),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([403, 415, 413, 403]);
    for (const { headers } of refusals) expect(headers['location']).toBeUndefined();
    expect((await visitor.open('/')).status).toBe(303);
    // The connection goes on: no refusal has broken it.
    expect((await visitor.submit(form, password)).status).toBe(303);
  });
});
