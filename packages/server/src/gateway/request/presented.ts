import { valuesOf, type HeaderList } from './header-list.ts';
import type { OwnNames } from './own-names.ts';

/** A secret that a request presents. Several are none: they could be meant for different readers. */
export type PresentedSecret =
  | { readonly is: 'absent' }
  | { readonly is: 'one'; readonly value: string; readonly by: 'header' | 'query' }
  | { readonly is: 'several' };

/** What a request presents to pass by, beside cookies. None of it goes on to the upstream. */
export type Presented = {
  readonly bypass: PresentedSecret;
  /** The browser wants a cookie for the bypass secret, and on which requests it is to send it. */
  readonly setBypassCookie: 'Lax' | 'None' | undefined;
  readonly share: PresentedSecret;
  /** The address itself carries a secret, so no page at it may tell its address. */
  readonly inAddress: boolean;
};

const nothing: Presented = {
  bypass: { is: 'absent' },
  setBypassCookie: undefined,
  share: { is: 'absent' },
  inAddress: false,
};

/**
 * Reads them in their one spelling, as headers (case does not count) and as parameters of the query. What is stripped
 * is every spelling there is; what counts is only this.
 */
export function parsePresented(rawHeaders: HeaderList, query: string, names: OwnNames): Presented {
  const { bypassHeader, setBypassCookieName, shareParameter } = names.wire;
  // Most queries cannot hold one of ours: they are not taken apart.
  const mayHold = query.includes(names.wire.prefix) || query.includes('%');
  const inHeaders = valuesOf(rawHeaders, bypassHeader);
  const setInHeaders = valuesOf(rawHeaders, setBypassCookieName);
  if (!mayHold && inHeaders.length === 0 && setInHeaders.length === 0) return nothing;
  const parameters = mayHold ? [...new URLSearchParams(query)] : [];
  const inQuery = (name: string) => parameters.filter(([key]) => key === name).map(([, value]) => value);
  const bypassInQuery = inQuery(bypassHeader);
  const shareInQuery = inQuery(shareParameter);
  const [setCookie, ...more] = [...setInHeaders, ...inQuery(setBypassCookieName)];
  return {
    bypass: inHeaders.length > 0 ? secretOf(inHeaders, 'header') : secretOf(bypassInQuery, 'query'),
    setBypassCookie: more.every((value) => value === setCookie) ? sameSiteOf(setCookie) : undefined,
    share: secretOf(shareInQuery, 'query'),
    inAddress: bypassInQuery.length > 0 || shareInQuery.length > 0,
  };
}

function secretOf(values: readonly string[], by: 'header' | 'query'): PresentedSecret {
  const [value, ...more] = values;
  if (value === undefined || value === '') return { is: 'absent' };
  return more.every((other) => other === value) ? { is: 'one', value, by } : { is: 'several' };
}

function sameSiteOf(value: string | undefined): 'Lax' | 'None' | undefined {
  const asked = value?.toLowerCase();
  if (asked === 'true') return 'Lax';
  return asked === 'samesitenone' ? 'None' : undefined;
}
