import { isTextWanted, type FormatOption, type Terminal } from '../terminal.ts';
import type { Finding } from './check-gateway.ts';

/** Prints what was found, and sets exit status 1 when something is open. */
export function reportFindings(
  terminal: Pick<Terminal, 'hasReader' | 'print'>,
  options: FormatOption,
  findings: readonly Finding[],
): void {
  if (isTextWanted(terminal, options)) for (const line of describe(findings)) terminal.print(line);
  else terminal.print(JSON.stringify(findings));
  if (findings.some(({ found }) => found === 'open')) process.exitCode = 1;
}

function describe(findings: readonly Finding[]): string[] {
  const lines = findings.map(({ check, found, detail }) => `${found.padEnd(8)}  ${check}. ${detail}`);
  const count = (wanted: Finding['found']) => findings.filter(({ found }) => found === wanted).length;
  return [...lines, `${count('closed')} closed, ${count('open')} open, ${count('unproven')} unproven`];
}
