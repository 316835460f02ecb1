// Bytes are kept as they are: latin1 gives each byte a character of its own, whatever the file's encoding is.
const byteOrderMark = '\xef\xbb\xbf';
const note = '# Created by Tessera CLI';

type Assignment = { start: number; valueStart: number; valueEnd: number; end: number };

/**
 * The file with `name` set to a value, and nothing else changed: the first assignment gets the value where it stands
 * (with its `export`, its indentation and its comment), further ones go, and without one it is added at the end.
 */
export function setVariable(before: Uint8Array | undefined, name: string, value: string): Buffer {
  const text = before === undefined ? '' : Buffer.from(before).toString('latin1');
  const eol = /\r\n|\n/.exec(text)?.[0] ?? '\n';
  const quoted = `"${value}"`;
  const [first, ...others] = findAssignments(text, name);
  let after: string;
  if (first === undefined) {
    const head = text === '' || text === byteOrderMark ? `${text}${note}${eol}` : text;
    const gap = /[\r\n]$/.test(head) ? '' : eol;
    after = `${head}${gap}${name}=${quoted}${eol}`;
  } else {
    after = text;
    for (const { start, end } of others.reverse()) after = after.slice(0, start) + after.slice(end);
    after = after.slice(0, first.valueStart) + quoted + after.slice(first.valueEnd);
  }
  return Buffer.from(after, 'latin1');
}

/** Assignments as dotenv reads them: what stands within the quotes of another value is none. */
function findAssignments(text: string, name: string): Assignment[] {
  const found: Assignment[] = [];
  let at = text.startsWith(byteOrderMark) ? byteOrderMark.length : 0;
  while (at < text.length) {
    const head = /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=|:(?=[ \t]))[ \t]*/.exec(lineAt(text, at));
    const valueStart = at + (head?.[0].length ?? 0);
    const valueEnd = head === null ? at : findValueEnd(text, valueStart);
    const end = findLineEnd(text, valueEnd);
    if (head?.[1] === name) found.push({ start: at, valueStart, valueEnd, end });
    at = end;
  }
  return found;
}

function findValueEnd(text: string, start: number): number {
  const quote = text[start];
  if (quote === '"' || quote === "'" || quote === '`') {
    for (let at = start + 1; at < text.length; at++) {
      if (text[at] === '\\') at++;
      else if (text[at] === quote) return at + 1;
    }
    // It is never closed: the line is all there is of it.
  }
  const unquoted = /^[^#]*/.exec(lineAt(text, start))?.[0] ?? '';
  return start + unquoted.trimEnd().length;
}

/** The line from here on, without its end. */
function lineAt(text: string, start: number): string {
  const end = text.slice(start).search(/[\r\n]/);
  return end === -1 ? text.slice(start) : text.slice(start, start + end);
}

/** Where the next line begins. */
function findLineEnd(text: string, from: number): number {
  const end = /\r\n|\r|\n/g;
  end.lastIndex = from;
  return end.exec(text) === null ? text.length : end.lastIndex;
}
