export type Cookie = {
  name: string;
  value: string;
  host: string;
  path: string;
  expiresAt: number | undefined;
};

/** The cookies of one browser: by host, as cookies know no ports. Loopback counts as secure, as browsers have it. */
export type CookieJar = {
  store(url: URL, setCookies: readonly string[] | undefined): void;
  /** The Cookie header for a request, or undefined. */
  header(url: URL): string | undefined;
  list(host?: string): Cookie[];
  set(cookie: { name: string; value: string; host: string }): void;
  delete(name: string, host?: string): void;
};

export function createCookieJar(): CookieJar {
  const cookies: Cookie[] = [];

  function put(cookie: Cookie): void {
    const index = cookies.findIndex(
      (each) => each.name === cookie.name && each.host === cookie.host && each.path === cookie.path,
    );
    if (index >= 0) cookies.splice(index, 1);
    if (cookie.expiresAt === undefined || cookie.expiresAt > Date.now()) cookies.push(cookie);
  }

  return {
    store(url, setCookies = []) {
      for (const line of setCookies) {
        const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
        const separator = pair.indexOf('=');
        const name = pair.slice(0, separator);
        const found = new Map(
          attributes.map((attribute) => {
            const [key = '', ...value] = attribute.split('=');
            return [key.toLowerCase(), value.join('=')] as const;
          }),
        );
        if (found.has('domain')) throw new Error(`${url.host} sets a cookie for a whole domain: ${line}`);
        if (name.startsWith('__Host-') && (!found.has('secure') || found.get('path') !== '/')) {
          throw new Error(`a browser refuses this cookie: ${line}`);
        }
        const maxAge = found.get('max-age');
        const expires = found.get('expires');
        put({
          name,
          value: pair.slice(separator + 1),
          host: url.hostname,
          path: found.get('path') ?? '/',
          expiresAt:
            maxAge === undefined
              ? expires === undefined
                ? undefined
                : Date.parse(expires)
              : Date.now() + Number(maxAge) * 1_000,
        });
      }
    },
    header(url) {
      const matching = cookies.filter(
        ({ host, path }) =>
          host === url.hostname &&
          (path === '/' ||
            url.pathname === path ||
            url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`)),
      );
      return matching.length === 0
        ? undefined
        : matching.map(({ name, value }) => `${name}=${value}`).join('; ');
    },
    list: (host) => cookies.filter((cookie) => host === undefined || cookie.host === host),
    set: ({ name, value, host }) => put({ name, value, host, path: '/', expiresAt: undefined }),
    delete(name, host) {
      for (const cookie of cookies.filter(
        (each) => each.name === name && (host ?? each.host) === each.host,
      )) {
        cookies.splice(cookies.indexOf(cookie), 1);
      }
    },
  };
}
