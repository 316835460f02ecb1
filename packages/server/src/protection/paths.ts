/** What every server reads alike: nothing encoded, no empty segment, no parameters (`;`) and no dot segments. */
const plainPath = /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$'()*+,=:@-]+)+\/?)$/;

/**
 * Whether a path lies below a prefix, at the end of a segment: `/api` covers `/api` and `/api/users`, not `/apiary`.
 * A path that some server may read as another one (`/api%2f..`, `/api//x`, `/api;x`) lies nowhere.
 */
export function isBelow(path: string, prefix: string): boolean {
  if (!plainPath.test(path)) return false;
  const folder = prefix.endsWith('/') ? prefix : `${prefix}/`;
  return path.startsWith(folder) || `${path}/` === folder;
}
