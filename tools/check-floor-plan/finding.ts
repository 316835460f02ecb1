export interface Finding {
  path: string;
  line: number;
  /** What was found, in the words of the file. */
  found: string;
  rule: string;
  /** What to do about it. */
  mend: string;
}

export function printFinding({ path, line, found, rule, mend }: Finding): string {
  return `${path}:${line}  ${found}\n  rule: ${rule}\n  mend: ${mend}`;
}
