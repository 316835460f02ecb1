import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send, type Answer } from '../harness/send.ts';
import { createApp, createSignInWorld, type SignInWorld } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';

/** One red dot. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);
const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(100)]);
const webp = Buffer.concat([Buffer.from('RIFF\x64\x00\x00\x00WEBPVP8 '), Buffer.alloc(100)]);
const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
const mebibyte = 1024 * 1024;

describe.each(databaseKinds)('logos of apps, on %s', (kind) => {
  let tessera: RunningTessera;
  let world: SignInWorld;
  beforeAll(async () => {
    tessera = await startTessera(kind);
    world = await createSignInWorld(tessera.urls, tessera.setUpLink);
  });
  afterAll(() => tessera?.close());

  const ask = (method: string, id: string, type?: string, body?: Uint8Array): Promise<Answer> =>
    send(`${tessera.urls.api}/v1/apps/${id}/logo?teamId=${world.team.id}`, {
      method,
      headers: {
        authorization: `Bearer ${world.apiToken}`,
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
    });
  const logoOf = (answer: Answer) => (answer.json() as { logo: string | null }).logo;

  test.each([
    ['image/png', png],
    ['image/jpeg', jpeg],
    ['image/webp', webp],
  ])(
    '%s is taken, and served from our own origin as nothing but a picture (security-51)',
    async (type, bytes) => {
      const answer = await ask('PUT', world.app.clientId, type, bytes);
      expect(answer.status, answer.text).toBe(200);
      const served = await send(`${tessera.urls.origin}${logoOf(answer)}`);
      expect(served.status).toBe(200);
      expect(served.headers).toMatchObject({
        'content-type': type,
        'content-length': String(bytes.length),
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; sandbox",
        'cache-control': 'public, max-age=31536000, immutable',
      });
    },
  );

  test('the consent page shows it, and loads nothing from elsewhere (security-11, security-51)', async () => {
    const app = await createApp(world.call, world.team.id, { name: 'With logo' });
    const uploaded = await world.call('app-logos.put', {
      params: { id: app.clientId },
      query: { teamId: world.team.id },
      upload: { type: 'image/png', bytes: new Uint8Array(png) },
    });
    const request = createAuthorizationRequest(tessera.urls.origin, app);
    const page = await world.admin.visitor.visit(request.url);
    expect(page.text).toContain(`<img src="${uploaded.logo}" alt="" />`);
    expect(page.headers['content-security-policy']).toContain("img-src 'self'");
    expect(page.text).not.toMatch(/src="(?:https?:)?\/\//);
  });

  test.each([
    ['an SVG', 'image/svg+xml', svg, 415, 'unsupported_media_type'],
    ['an SVG that says it is a PNG', 'image/png', svg, 400, 'logo_refused'],
    ['a page', 'text/html', Buffer.from('<html>'), 415, 'unsupported_media_type'],
    ['a JPEG that says it is a PNG', 'image/png', jpeg, 400, 'logo_refused'],
    ['nothing', 'image/png', Buffer.alloc(0), 400, 'bad_request'],
    ['one byte', 'image/png', Buffer.alloc(1), 400, 'logo_refused'],
  ])('%s is refused (security-51)', async (_name, type, bytes, status, code) => {
    const answer = await ask('PUT', world.app.clientId, type, bytes);
    expect(answer.status, answer.text).toBe(status);
    expect(answer.json()).toMatchObject({ code });
  });

  test('of more than 256 KiB none is taken', async () => {
    const sized = (bytes: number) => Buffer.concat([png, Buffer.alloc(bytes - png.length)]);
    const fits = await ask('PUT', world.app.clientId, 'image/png', sized(256 * 1024));
    expect(fits.status, fits.text).toBe(200);
    const served = await send(`${tessera.urls.origin}${logoOf(fits)}`);
    expect(served.headers['content-length']).toBe(String(256 * 1024));
    for (const size of [256 * 1024 + 1, mebibyte]) {
      expect((await ask('PUT', world.app.clientId, 'image/png', sized(size))).status).toBe(413);
    }
  });

  test('it goes when it is taken away, and with its app', async () => {
    const app = await createApp(world.call, world.team.id, { name: 'Brief' });
    const other = Buffer.concat([png, Buffer.from('other')]);
    const path = logoOf(await ask('PUT', app.clientId, 'image/png', other)) ?? '';
    expect((await ask('DELETE', app.clientId)).status).toBe(204);
    expect((await ask('DELETE', app.clientId)).status).toBe(204);
    expect((await send(`${tessera.urls.origin}${path}`)).status).toBe(404);
    await ask('PUT', app.clientId, 'image/png', other);
    await world.call('apps.delete', { params: { id: app.clientId }, query: { teamId: world.team.id } });
    expect((await send(`${tessera.urls.origin}${path}`)).status).toBe(404);
    expect((await ask('PUT', app.clientId, 'image/png', png)).status).toBe(404);
    for (const name of ['x', '../logos/x.png', `${'a'.repeat(32)}.svg`, '%00.png']) {
      expect((await send(`${tessera.urls.origin}/logos/${name}`)).status).toBe(404);
    }
  });
});
