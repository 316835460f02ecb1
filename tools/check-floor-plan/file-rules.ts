import type { Finding } from './finding.ts';
import { emptyEndings, emptyLastWords, emptyNames, longestFile } from './plan.ts';
import type { SourceFacts } from './source-facts.ts';

/** What holds for every file wherever it stands: it parses, is short, has a name that says something, exports by name. */
export function checkFiles(sources: readonly SourceFacts[]): Finding[] {
  const judged = new Set<string>();
  return sources.flatMap((source) => [
    ...source.parseErrors.map(({ message, line }) => ({
      path: source.path,
      line,
      found: message,
      rule: 'every file parses',
      mend: 'correct the syntax',
    })),
    ...checkPath(source.path, judged),
    ...checkIdentifiers(source),
    ...checkLength(source),
    ...checkDefaultExports(source),
  ]);
}

/** A folder with an empty name is reported once, not for each file in it. */
function checkPath(path: string, judged: Set<string>): Finding[] {
  const findings: Finding[] = [];
  const parts = path.split('/');
  parts.forEach((part, index) => {
    const upToHere = parts.slice(0, index + 1).join('/');
    const stem = part.split('.')[0]?.toLowerCase() ?? '';
    const lastWord = stem.split(/[-_]/).at(-1) ?? '';
    if (judged.has(upToHere) || !(emptyNames.includes(stem) || emptyLastWords.includes(lastWord))) return;
    judged.add(upToHere);
    findings.push({
      path,
      line: 1,
      found: `the name '${part}'`,
      rule: 'a file or folder is named by what is inside',
      mend: 'name it after the thing or the ability; if there are several, they are several files',
    });
  });
  return findings;
}

function checkIdentifiers({ path, declarations }: SourceFacts): Finding[] {
  return declarations.flatMap(({ name, isInterface, line }) => {
    const ending = emptyEndings.find((each) => name.endsWith(each));
    if (ending === undefined && !(isInterface && /^I[A-Z]/.test(name))) return [];
    return [
      {
        path,
        line,
        found: `the name ${name}`,
        rule: `identifiers are named by the thing: no I…, …${emptyEndings.join(', …')}`,
        mend:
          ending === undefined
            ? `call it ${name.slice(1)}`
            : 'say what it is or does in the words of the RFC',
      },
    ];
  });
}

function checkLength({ path, lineCount }: SourceFacts): Finding[] {
  if (lineCount <= longestFile) return [];
  return [
    {
      path,
      line: longestFile + 1,
      found: `${lineCount} lines`,
      rule: `a file has at most ${longestFile} lines; 300 are wished for`,
      mend: 'find the second thing that is in it, and give it a file of its own',
    },
  ];
}

function checkDefaultExports({ path, defaultExports }: SourceFacts): Finding[] {
  // Tools read their configuration, and Next.js its pages and layouts, from the default export.
  if (/\.config\.[cm]?[jt]s$/.test(path) || path.startsWith('examples/nextjs/app/')) return [];
  return defaultExports.map((line) => ({
    path,
    line,
    found: 'a default export',
    rule: 'exports have names, so that a thing is called the same everywhere',
    mend: 'export it by its name',
  }));
}
