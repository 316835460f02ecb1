import { CommandError, show } from '../errors.ts';

// What curl may be told beside the address. It is a list of what is known to keep to one host, since curl has many
// options that lead elsewhere (--location, --proxy, --connect-to, --url, --next, --config, …) and gets new ones.
const switches = new Set(
  `s silent  S show-error  i include  I head  v verbose  f fail  G get  g globoff  j junk-session-cookies
   J remote-header-name  N no-buffer  O remote-name  R remote-time  # progress-bar  4 ipv4  6 ipv6  0 http1.0
   1 tlsv1  fail-with-body  compressed  http1.1  http2  http2-prior-knowledge  http3  http3-only
   tlsv1.2  tlsv1.3  create-dirs  no-progress-meter  progress-meter  no-keepalive  keepalive  buffer  raw
   ignore-content-length  retry-all-errors  retry-connrefused  ca-native  basic  digest  form-escape  tcp-nodelay
   no-clobber  clobber  remove-on-error  styled-output  no-styled-output  tr-encoding`.split(/\s+/),
);
const settings = new Set(
  `X request  H header  d data  F form  o output  w write-out  A user-agent  e referer  b cookie  c cookie-jar
   u user  m max-time  y speed-time  Y speed-limit  r range  T upload-file  z time-cond  D dump-header
   C continue-at  E cert  json  data-ascii  data-binary  data-raw  data-urlencode  url-query  form-string  retry
   retry-delay  retry-max-time  connect-timeout  cacert  capath  cert-type  key  key-type  tls-max  ciphers
   tls13-ciphers  output-dir  limit-rate  max-filesize  etag-save  etag-compare  expect100-timeout  keepalive-time
   interface  oauth2-bearer`.split(/\s+/),
);

/**
 * Refuses what would take the token to another place or would replace it.
 *
 * @param ours names of the headers that we put in
 */
export function checkCurlArguments(args: readonly string[], ours: readonly string[]): void {
  const rest = [...args];
  const check = (name: string, value: string | undefined): void => {
    if (value === undefined) return;
    if (name === 'H' || name === 'header') checkHeader(value, ours);
    // Both would be the authorization of the request.
    if (['u', 'user', 'oauth2-bearer'].includes(name) && ours.includes('authorization')) {
      throw refused(`${show(`-${name}`)} would replace the token.`);
    }
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg.startsWith('--') && arg.length > 2) {
      const name = arg.slice(2);
      if (settings.has(name)) check(name, rest.shift());
      else if (!switches.has(name) || name.length === 1) throw unknown(arg);
    } else if (arg.startsWith('-') && arg.length > 1 && arg !== '--') {
      // `-sSo FILE`, `-XPOST`: letters up to the first that takes a value, which is the rest or the next one.
      for (let at = 1; at < arg.length; at++) {
        const letter = arg.charAt(at);
        if (settings.has(letter)) {
          check(letter, arg.slice(at + 1) || rest.shift());
          break;
        }
        if (!switches.has(letter)) throw unknown(`-${letter}`);
      }
    } else {
      throw refused(`${show(arg)} would be another address; this command calls one.`);
    }
  }
}

function checkHeader(value: string, ours: readonly string[]): void {
  if (value.startsWith('@')) throw refused(`The headers in the file ${show(value)} cannot be looked over.`);
  // A line break in one header makes two.
  if (/[\r\n\0]/.test(value)) throw refused(`The header ${show(value)} has a line break in it.`);
  const name = (/^[^:;]*/.exec(value)?.[0] ?? '').trim().toLowerCase();
  if (name === 'host') throw refused('The header "Host" would name another host.');
  if (ours.includes(name)) throw refused(`The header ${show(name)} is the one that this command puts in.`);
}

function unknown(option: string): CommandError {
  return refused(`${show(option)} is none of the options of curl that are known to keep to one address.`);
}

function refused(detail: string): CommandError {
  return new CommandError(
    'curl_option_refused',
    detail,
    'Leave it out; or use curl itself, with a header of your own from tessera-cli project token.',
  );
}
