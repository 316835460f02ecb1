import { expect, test } from 'vitest';
import { describeSignIn } from '../sign-in/on-both-databases.ts';

// Each begins like a path of ours, and a browser reads another host in it once dot segments are taken out.
const elsewhere = [
  '/.//evil.example/',
  '/..//evil.example/',
  '/account/..//evil.example/',
  '/%2e//evil.example/',
  '/%2E%2e//evil.example/?x=1',
  '/a/./..//evil.example',
  '//evil.example/',
  '/\\evil.example/',
];

describeSignIn('the way on after a login', (place) => {
  test.each(elsewhere)('%s does not lead away from us', async (path) => {
    const { origin } = place.tessera.urls;
    const { visitor } = place.world.admin;
    const page = await visitor.visit(`${origin}/login?return=${encodeURIComponent(path)}`);
    expect(page.url.origin).toBe(new URL(origin).origin);
    expect(page.url.pathname).toBe('/account');
  });
});
