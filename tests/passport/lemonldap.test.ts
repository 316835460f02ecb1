import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCookieJar } from '../harness/cookie-jar.ts';
import { createPassportWorld, type PassportWorld } from '../harness/passport-world.ts';
import { findText } from '../harness/html.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';
import { hasLemonldap, startLemonldap, type Lemonldap } from './lemonldap.ts';

// Letters alone: it does not decode what RFC 6749 section 2.3.1 has clients encode.
const client = { clientId: 'tessera', clientSecret: 'aSecretBetweenBoth' };

describe.skipIf(!hasLemonldap)('a visitor at LemonLDAP::NG', () => {
  let tessera: RunningTessera;
  let world: PassportWorld;
  let provider: Lemonldap;

  beforeAll(async () => {
    tessera = await startTessera('sqlite');
    world = await createPassportWorld(tessera.urls, tessera.setUpLink);
    provider = await startLemonldap({ ...client, redirectUri: `${tessera.urls.connect}/callback` });
  }, 60_000);
  afterAll(async () => {
    provider?.close();
    await world?.close();
    await tessera?.close();
  });

  test('arrives, and the connection test knows what a wrong secret is', async () => {
    const query = { teamId: world.team.id };
    const connector = await world.call('connectors.create', {
      query,
      body: { name: 'LemonLDAP', issuer: provider.issuer, ...client },
    });
    const site = await world.protect('lemon', { connectorId: connector.id });
    const jar = createCookieJar();
    // The provider sets its cookie for the whole of its domain, which our jar refuses of everybody.
    const visitor = createVisitor({
      ...jar,
      store: (url, cookies) =>
        jar.store(
          url,
          cookies?.map((cookie) => cookie.replace(/; domain=[^;]*/i, '')),
        ),
    });
    const login = await visitor.visit(`${site.url}/page`);
    const submitted = await visitor.submit(login, 'lform', { user: 'dwho', password: 'dwho' });
    const page = await visitor.follow(submitted);
    expect(page.url.href, findText(page.text, 'error-description') ?? '').toBe(`${site.url}/page`);
    const { headers } = page.json() as { headers: Record<string, string> };
    const [, payload = ''] = (headers['x-vercel-oidc-passport-token'] ?? '').split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      external_sub: 'dwho',
      external_iss: provider.issuer,
      email: 'dwho@badwolf.org',
      name: 'Doctor Who',
    });

    const params = { id: connector.id };
    const probe = async () => {
      const { steps } = await world.call('connectors.test', { params, query });
      return Object.fromEntries(steps.map(({ step, outcome }) => [step, outcome]));
    };
    expect(await probe()).toMatchObject({ discovery: 'ok', algorithms: 'ok', clock: 'ok', keys: 'ok' });
    await world.call('connectors.update', { params, query, body: { clientSecret: 'anotherSecret' } });
    expect(await probe()).toMatchObject({ discovery: 'ok', credentials: 'failed' });
  });
});
