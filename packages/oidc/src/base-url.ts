/**
 * A base URL without a trailing slash, or what is wrong with it. Tokens travel to base URLs and keys come from them:
 * plain http counts on this machine alone.
 */
export function parseBaseUrl(text: string): { url: string } | { problem: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problem: 'is not a URL' };
  }
  if (url.username !== '' || url.password !== '') return { problem: 'has a user name or password in it' };
  if (/[?#]/.test(text)) return { problem: 'has a query or fragment' };
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    return { problem: 'does not begin with https://' };
  }
  return { url: text.replace(/\/+$/, '') };
}

/** Appends to the path of a base URL; `new URL(path, base)` would drop what the base's path has. */
export function joinPath(baseUrl: string, path: string): URL {
  return new URL(`${baseUrl}${path}`);
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}
