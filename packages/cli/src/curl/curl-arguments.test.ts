import { describe, expect, test } from 'vitest';
import { checkCurlArguments } from './curl-arguments.ts';

const ours = ['x-vercel-trusted-oidc-idp-token', 'x-vercel-protection-bypass'];
const evil = 'http://evil.example';

describe('what curl is told', () => {
  test.each([
    ['-L'],
    ['-sL'],
    ['-sSLo', 'x'],
    ['--location'],
    ['--loc'],
    ['--location-trusted'],
    ['--follow'],
    ['--next'],
    ['-:'],
    ['--url', evil],
    [`--url=${evil}`],
    ['-x', evil],
    [`-sx${evil}`],
    ['--proxy', evil],
    ['--preproxy', evil],
    ['--socks5', evil],
    ['--connect-to', '::127.0.0.1:1'],
    ['--resolve', 'a:1:127.0.0.1'],
    ['--dns-servers', '192.0.2.1'],
    ['--doh-url', evil],
    ['--alt-svc', 'x'],
    ['-K', 'x'],
    ['-Kx'],
    ['--config', 'x'],
    ['--unix-socket', '/x'],
    ['--libcurl', 'x'],
    ['--trace', '-'],
    ['--trace-ascii', '-'],
    ['--stderr', 'x'],
    ['-k'],
    ['--insecure'],
    ['--proto', '=http'],
    ['--request-target', '/'],
    ['--variable', 'x'],
    ['--expand-url', 'x'],
    // No one letter behind two hyphens, and no beginning of a word: curl may know a longer one.
    ['--s'],
    ['--sil'],
    ['--'],
    ['-'],
    [''],
    [evil],
    ['-s', evil],
    ['-XPOST', evil],
    ['-X', 'POST', evil],
    ['-o', 'x', 'evil.example'],
    ['-H', 'Host:evil.example'],
    ['-H', ' host : evil.example'],
    ['-HHost:evil.example'],
    ['-sHhost;'],
    ['-H', 'X-One: 1\r\nHost: evil.example'],
    ['--header', '@x'],
    ['-H', 'X-Vercel-Protection-Bypass:x'],
    ['-H', 'x-vercel-trusted-oidc-idp-token;'],
  ])('is not %s %s', (...args) => {
    expect(() =>
      checkCurlArguments(
        args.filter((arg) => arg !== undefined),
        ours,
      ),
    ).toThrow(expect.objectContaining({ code: 'curl_option_refused' }));
  });

  test.each([
    [[]],
    [['-sS', '-X', 'POST', '--json', '{}']],
    [['-XPOST', '-d-5', '-d', '-L', '--data-raw', '--location']],
    [['-sSo', '-', '-w', '%{http_code}']],
    [['-H', 'Accept: text/html', '-HX-Empty;', '-H', 'Accept:']],
    [['--request', 'PUT', '--upload-file', '-', '--retry', '3', '--fail-with-body', '--max-time', '5']],
    [['-u', 'a:b', '-b', 'a=b', '-A', 'x', '-e', 'http://referer.example', '-G', '--url-query', 'a=b']],
  ])('may be %j', (args) => {
    expect(() => checkCurlArguments(args, ours)).not.toThrow();
  });
});
