/** Flat list of names and values, as `rawHeaders` and undici have it: order, case and duplicates are kept. */
export type HeaderList = readonly string[];

/**
 * Whether a header has this name (in lower case). The length first: a request is looked through for a dozen names, and
 * nearly all others are of another length.
 */
export function isNamed(sent: string | undefined, name: string): boolean {
  return sent?.length === name.length && sent.toLowerCase() === name;
}

const none: readonly string[] = [];

/** The value of one header; what was sent more than once is joined by commas (RFC 9110 section 5.3). */
export function valueOf(sent: HeaderList, name: string): string | undefined {
  const values = valuesOf(sent, name);
  return values.length > 1 ? values.join(', ') : values[0];
}

/** Every value of one header, in order. Not from Node's own table: it leaves out what comes behind 2,000 others. */
export function valuesOf(sent: HeaderList, name: string): readonly string[] {
  let values: string[] | undefined;
  for (let index = 0; index < sent.length; index += 2) {
    if (isNamed(sent[index], name)) (values ??= []).push(sent[index + 1] ?? '');
  }
  return values ?? none;
}
