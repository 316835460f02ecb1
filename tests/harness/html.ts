export type HtmlForm = {
  /** Where it is sent, absolute. */
  action: URL;
  method: 'GET' | 'POST';
  /** Its fields with the values they have before anybody types. */
  fields: Record<string, string>;
  /** All names that it can send, boxes that are not ticked among them. */
  names: ReadonlySet<string>;
};

/** Finds a form of one of our pages by its id. The pages are ours and well formed, so a pattern is enough. */
export function findForm(html: string, id: string, base: URL): HtmlForm {
  for (const [, attributes = '', content = ''] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    if (readAttribute(attributes, 'id') !== id) continue;
    const fields: Record<string, string> = {};
    const names = new Set<string>();
    for (const [, input = ''] of content.matchAll(/<input\b([^>]*)>/gi)) {
      const name = readAttribute(input, 'name');
      const type = readAttribute(input, 'type');
      if (name === undefined || type === 'submit' || type === 'button') continue;
      names.add(name);
      if ((type === 'checkbox' || type === 'radio') && !/\bchecked\b/.test(input)) continue;
      fields[name] = readAttribute(input, 'value') ?? (type === 'checkbox' ? 'on' : '');
    }
    for (const [, select = '', options = ''] of content.matchAll(/<select\b([^>]*)>([\s\S]*?)<\/select>/gi)) {
      const name = readAttribute(select, 'name');
      const chosen =
        /<option\b([^>]*\bselected\b[^>]*)>/i.exec(options) ?? /<option\b([^>]*)>/i.exec(options);
      if (name === undefined) continue;
      names.add(name);
      if (chosen) fields[name] = readAttribute(chosen[1] ?? '', 'value') ?? '';
    }
    return {
      action: new URL(readAttribute(attributes, 'action') || base.href, base),
      method: readAttribute(attributes, 'method')?.toUpperCase() === 'POST' ? 'POST' : 'GET',
      fields,
      names,
    };
  }
  throw new Error(`${base.href} has no form #${id}: ${textOf(html).slice(0, 500)}`);
}

/** The fields of a form that a page sends to `action` (OAuth 2.0 Form Post Response Mode), or undefined. */
export function findPostedForm(html: string, action: string): Record<string, string> | undefined {
  for (const [, attributes = '', content = ''] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    if (readAttribute(attributes, 'action') !== action) continue;
    if (readAttribute(attributes, 'method')?.toLowerCase() !== 'post') continue;
    return Object.fromEntries(
      [...content.matchAll(/<input\b([^>]*)>/gi)].map(([, input = '']) => [
        readAttribute(input, 'name') ?? '',
        readAttribute(input, 'value') ?? '',
      ]),
    );
  }
  return undefined;
}

/** The name and value that a button adds to its form; none for a button without a name. */
export function findButton(html: string, id: string): { name?: string; value?: string; formAction?: string } {
  for (const [, attributes = ''] of html.matchAll(/<button\b([^>]*)>/gi)) {
    if (readAttribute(attributes, 'id') !== id) continue;
    const name = readAttribute(attributes, 'name');
    const formAction = readAttribute(attributes, 'formaction');
    return {
      ...(name === undefined ? {} : { name, value: readAttribute(attributes, 'value') ?? '' }),
      ...(formAction === undefined ? {} : { formAction }),
    };
  }
  throw new Error(`the page has no button #${id}: ${textOf(html).slice(0, 500)}`);
}

/** The text of the element with this id, or undefined. Elements of the same name inside it end the text early. */
export function findText(html: string, id: string): string | undefined {
  for (const [, name = '', attributes = ''] of html.matchAll(/<([a-z][a-z0-9]*)\b([^>]*)>/gi)) {
    if (readAttribute(attributes, 'id') !== id) continue;
    const start = html.indexOf(`<${name}${attributes}>`) + name.length + attributes.length + 2;
    const end = html.indexOf(`</${name}>`, start);
    return end < 0 ? undefined : textOf(html.slice(start, end));
  }
  return undefined;
}

/** What a person reads. */
export function textOf(html: string): string {
  return unescapeHtml(
    html
      .replace(/<(style|script|title)\b[\s\S]*?<\/\1>/gi, ' ')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  );
}

function readAttribute(attributes: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(
    attributes,
  );
  const value = found?.[1] ?? found?.[2] ?? found?.[3];
  return value === undefined ? undefined : unescapeHtml(value);
}

function unescapeHtml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
  return text.replace(
    /&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
      return named[name?.toLowerCase() ?? ''] ?? whole;
    },
  );
}
