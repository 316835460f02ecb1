import type { Condition } from './condition.ts';

/**
 * Reads the CEL that we print: comparisons of one claim with texts, joined by `&&`. Everything else is `unread`, so that
 * what is not understood is never taken for proven.
 *
 * @param root the name under which the claims stand: `assertion`, `claims`
 */
export function readExpression(expression: string, root: string, line: string): Condition[] {
  const text = String.raw`(?:'[^'"\\]*'|"[^'"\\]*")`;
  const list = String.raw`\[\s*${text}(?:\s*,\s*${text})*\s*\]`;
  const term = new RegExp(
    String.raw`\s*${root}\.([A-Za-z_]\w*)(?:\s*(==)\s*(${text})|\s+(in)\s*(${list})|\.(startsWith)\(\s*(${text})\s*\))\s*(&&|$)`,
    'y',
  );
  const conditions: Condition[] = [];
  let ended = false;
  while (!ended) {
    const found = term.exec(expression);
    if (found === null) return [{ line, claim: '', match: 'unread', values: [] }];
    const [, claim = '', , equal, , among, begins, beginning, joint] = found;
    const source = equal ?? among ?? beginning ?? '';
    const values = [...source.matchAll(new RegExp(text, 'g'))].map(([quoted]) => quoted.slice(1, -1));
    conditions.push(
      begins === undefined
        ? { line, claim, match: 'exact', values }
        : { line, claim, match: 'pattern', values: values.map((value) => `${value}*`) },
    );
    ended = joint === '';
  }
  return conditions;
}

/** A comparison of one claim with texts, in CEL. */
export function writeExpression(root: string, claim: string, values: readonly string[]): string {
  // Subjects are printable ASCII, and `print` refuses what would end the text.
  return `${root}.${claim} in [${values.map((value) => `'${value}'`).join(', ')}]`;
}
