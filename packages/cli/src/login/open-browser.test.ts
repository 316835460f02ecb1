import { expect, test } from 'vitest';
import { findOpener } from './open-browser.ts';

const withScreen = { DISPLAY: ':0' };

test.each([
  ['linux', withScreen, true, ['xdg-open']],
  ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, true, ['xdg-open']],
  ['linux', {}, true, undefined],
  ['linux', withScreen, false, undefined],
  ['darwin', {}, true, ['open']],
  ['darwin', {}, false, undefined],
  ['win32', {}, true, ['rundll32', 'url.dll,FileProtocolHandler']],
  ['win32', {}, false, undefined],
] as const)('on %s with %o, a person: %s', (platform, environment, hasPerson, opener) => {
  expect(findOpener({ environment, hasPerson }, platform)).toEqual(opener);
});
