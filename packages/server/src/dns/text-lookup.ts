import { Resolver } from 'node:dns/promises';

/** What the DNS says of a name. */
export type TextRecords =
  /** Each record's strings joined to one text (RFC 7208 section 3.3); none when the name or its records are not there. */
  | { readonly is: 'answered'; readonly texts: readonly string[] }
  /** The name is another name for `target` (CNAME): whatever stands there was written by whoever has that one. */
  | { readonly is: 'alias'; readonly target: string }
  /** Nobody can say; `because` is for people. */
  | { readonly is: 'failed'; readonly because: string };

/** Never throws. */
export type TextLookup = (name: string) => Promise<TextRecords>;

export type TextLookupNeeds = {
  /** `address` or `address:port` of the resolvers to ask; none: those of the system. */
  servers: readonly string[];
};

const tryMilliseconds = 1_500;
const tries = 2;
/** Whatever the tries add up to. */
const wholeMilliseconds = 5_000;

const words: Readonly<Record<string, string>> = {
  ETIMEOUT: 'the name servers did not answer in time',
  ECANCELLED: 'the name servers did not answer in time',
  ESERVFAIL: 'the name servers failed (SERVFAIL): the zone or its signatures may be broken',
  EREFUSED: 'the name servers refused to answer (REFUSED)',
  ECONNREFUSED: 'the name servers cannot be reached',
  EBADRESP: 'the answer of the name servers cannot be read',
  EBADNAME: 'the name cannot be asked for',
};

/** Looks up TXT records. A name that is an alias is told from one that has records of its own. */
export function createTextLookup({ servers }: TextLookupNeeds): TextLookup {
  return async (name) => {
    // One for each question: it remembers no answer of a minute ago, and can be cancelled alone.
    const resolver = new Resolver({ timeout: tryMilliseconds, tries, maxTimeout: tryMilliseconds });
    if (servers.length > 0) resolver.setServers(servers);
    const deadline = setTimeout(() => resolver.cancel(), wholeMilliseconds);
    try {
      const [aliases, records] = await Promise.all([
        orNone(resolver.resolveCname(name)),
        orNone(resolver.resolveTxt(name)),
      ]);
      const [target] = aliases;
      if (target !== undefined) return { is: 'alias', target };
      return { is: 'answered', texts: records.map((strings) => strings.join('')) };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      return { is: 'failed', because: words[code] ?? `the name servers could not be asked (${code})` };
    } finally {
      clearTimeout(deadline);
      resolver.cancel();
    }
  };
}

/** No such name, or no such record of it, is an answer. */
async function orNone<Records>(asked: Promise<Records[]>): Promise<Records[]> {
  try {
    return await asked;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
    throw error;
  }
}
