import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../attacks/random.ts';
import { createPassportWorld, passPassport, type PassportWorld } from '../harness/passport-world.ts';
import { send } from '../harness/send.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { createVisitor } from '../harness/visitor.ts';

const settingsTried = 30;
const requestsTried = 8;

let tessera: RunningTessera;
let world: PassportWorld;
beforeAll(async () => {
  tessera = await startTessera('sqlite');
  world = await createPassportWorld(tessera.urls, tessera.setUpLink);
});
afterAll(async () => {
  await world?.close();
  await tessera?.close();
});

test('the explanation of a request is what becomes of it, for settings and requests at random', async () => {
  const random = createRandom();
  const { projectId, url } = world.deployment;
  const host = new URL(url).hostname;
  const query = { teamId: world.team.id };
  const params = { idOrName: projectId };
  const update = (body: object) => world.call('projects.update', { params, query, body });
  const visitor = createVisitor();
  await passPassport(visitor, `${url}/`);
  const session = visitor.cookies.header(new URL(url)) ?? '';
  const generate = async (bounds: object) =>
    (await world.call('protection-bypass.update', { params, query, body: { generate: bounds } })).secret ??
    '';
  const secrets = [await generate({}), await generate({ pathPrefix: '/api' }), 'no secret of ours'];
  const { secret: share = '' } = await world.call('share-links.update', {
    params: { idOrHost: host },
    query,
  });
  const types = ['all', 'all_except_custom_domains', 'preview'] as const;
  const maybe = <Setting>(setting: () => Setting) => (random.once(2) ? setting() : null);

  const makeSettings = () => ({
    passport: maybe(() => ({ connectorId: world.connectorId, deploymentType: random.pick(types) })),
    ssoProtection: maybe(() => ({ deploymentType: random.pick(types) })),
    passwordProtection: maybe(() => ({ deploymentType: random.pick(types), password: 'open sesame' })),
    trustedIps: maybe(() => ({
      deploymentType: random.pick([...types, 'production']),
      protectionMode: random.pick(['additional', 'exclusive']),
      addresses: [{ value: random.pick(['127.0.0.1', '192.0.2.1']) }],
    })),
    optionsAllowlist: maybe(() => ({ paths: [{ value: '/api' }] })),
    protectionExceptions: random.once(6) ? [{ host, confirm: host }] : [],
  });
  const makeRequest = () => {
    const cookies = [random.once(2) ? session : '', random.once(6) ? '_vercel_passport=tossed' : ''].filter(
      Boolean,
    );
    return {
      method: random.pick(['GET', 'GET', 'POST', 'OPTIONS', 'HEAD']),
      path: random.pick([
        '/',
        '/api',
        '/api/x?a=1',
        '/apiary',
        '/a//b',
        '/a%2e./b',
        `/?_vercel_share=${share}`,
      ]),
      headers: {
        accept: random.pick(['text/html', 'application/json']),
        ...(cookies.length === 0 ? {} : { cookie: cookies.join('; ') }),
        ...(random.once(3) ? { 'x-vercel-protection-bypass': random.pick(secrets) } : {}),
        ...(random.once(6) ? { 'x-forwarded-for': '192.0.2.1' } : {}),
      },
    };
  };

  for (let each = 0; each < settingsTried; each++) {
    const settings = makeSettings();
    await update(settings);
    for (let one = 0; one < requestsTried; one++) {
      const request = makeRequest();
      const { outcome } = await world.call('protection.explain', {
        query,
        body: { host, ...request, clientAddress: '127.0.0.1' },
      });
      const { method, path, headers } = request;
      const { status, headers: answered } = await send(`${url}${path}`, { method, headers });
      const location = answered.location ?? '';
      const is =
        status === 200 || location.startsWith(`${url}/?`) || location === `${url}/`
          ? 'pass'
          : location.startsWith(`${tessera.urls.connect}/start`)
            ? 'sign-in'
            : location.includes('/passport/password')
              ? 'password'
              : String(answered['x-vercel-error']);
      const expected = {
        pass: ['pass'],
        'sign-in': ['sign-in', 'SIGN_IN_REQUIRED'],
        password: ['password', 'SIGN_IN_REQUIRED'],
        hide: ['DEPLOYMENT_NOT_FOUND'],
        // Of two cookies of one name a page says so, and a program has no session.
        refuse: [outcome.code ?? '', 'COOKIES_AMBIGUOUS', 'SIGN_IN_REQUIRED'],
        'own-path': [],
      }[outcome.is] as string[];
      const told =
        `TEST_SEED=${random.seed} ${JSON.stringify({ settings, request, outcome, status, is })}`.replace(
          session,
          'OURS',
        );
      expect(expected, told).toContain(is);
      expect(outcome.is === 'pass', told).toBe(is === 'pass');
    }
  }
}, 120_000);
