import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';

export interface Finding {
  path: string;
  line: number;
  found: string;
}

/** What a page can be wrong about: what there is in the repository, and which npm scripts can be run. */
export interface Repository {
  exists: (path: string) => boolean;
  scripts: ReadonlySet<string>;
}

const parsed: ReadonlyMap<string, string> = new Map([
  ['ts', 'ts'],
  ['typescript', 'ts'],
  ['tsx', 'tsx'],
  ['js', 'js'],
  ['javascript', 'js'],
  ['mjs', 'js'],
]);

/** Checks one Markdown page. Prose is read for links, code blocks for whether they parse, both for npm scripts. */
export function checkPage(path: string, text: string, repository: Repository): Finding[] {
  const { prose, blocks } = split(text);
  return [
    ...prose.flatMap(({ content, line }) => checkLinks(path, content, line, repository)),
    ...text.split('\n').flatMap((content, index) => checkScripts(path, content, index + 1, repository)),
    ...blocks.flatMap(({ language, code, line }) => checkCode(path, language, code, line)),
  ];
}

interface Block {
  language: string;
  code: string;
  /** Of the first line of code. */
  line: number;
}

function split(text: string): { prose: { content: string; line: number }[]; blocks: Block[] } {
  const prose: { content: string; line: number }[] = [];
  const blocks: Block[] = [];
  let fence: { marks: string; indent: number; language: string; lines: string[]; line: number } | null = null;
  for (const [index, content] of text.split('\n').entries()) {
    const [, indent = '', marks, info = ''] = /^(\s*(?:>\s?)*)(`{3,}|~{3,})\s*(.*)$/.exec(content) ?? [];
    if (fence && marks?.startsWith(fence.marks) && info === '') {
      blocks.push({ language: fence.language, code: fence.lines.join('\n'), line: fence.line });
      fence = null;
    } else if (fence) {
      fence.lines.push(content.slice(fence.indent));
    } else if (marks !== undefined) {
      const language = info.split(/[\s{]/)[0]?.toLowerCase() ?? '';
      fence = { marks, indent: indent.length, language, lines: [], line: index + 2 };
    } else {
      prose.push({ content, line: index + 1 });
    }
  }
  return { prose, blocks };
}

function checkLinks(path: string, content: string, line: number, { exists }: Repository): Finding[] {
  const plain = content.replaceAll(/`[^`]*`/g, '');
  const links = [
    ...plain.matchAll(/\]\(\s*<?([^)\s>]+)/g),
    ...plain.matchAll(/^\s*\[[^\]^][^\]]*\]:\s*<?([^\s>]+)/g),
    ...plain.matchAll(/<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/g),
  ];
  return links.flatMap(([, target = '']) => {
    if (/^(?:[a-z][a-z\d+.-]*:|#|\/\/)/i.test(target)) return [];
    const file = decodeURIComponent(target.split(/[#?]/)[0] ?? '');
    const resolved = file.startsWith('/') ? file.slice(1) : posix.join(posix.dirname(path), file);
    return !resolved.startsWith('..') && exists(resolved)
      ? []
      : [{ path, line, found: `the link to ${target} points nowhere` }];
  });
}

/** `npm run x`, with options of npm before the name, as in `npm run -s demo -- --json`. */
function checkScripts(path: string, content: string, line: number, { scripts }: Repository): Finding[] {
  const named = [...content.matchAll(/\bnpm run(?: -{1,2}[\w-]+)* ([a-z][\w:-]*)/g)].map(
    ([, name = '']) => name,
  );
  const short = [...content.matchAll(/\bnpm (start|test)\b/g)].map(([, name = '']) => name);
  return [...named, ...short]
    .filter((name) => !scripts.has(name))
    .map((name) => ({ path, line, found: `npm run ${name}: package.json has no script '${name}'` }));
}

function checkCode(path: string, language: string, code: string, line: number): Finding[] {
  const extension = parsed.get(language);
  if (extension === undefined) return [];
  const [error] = parseSync(`sample.${extension}`, code, { sourceType: 'module' }).errors;
  if (!error) return [];
  const before = code.slice(0, error.labels[0]?.start ?? 0).split('\n').length - 1;
  return [{ path, line: line + before, found: `the ${language} block does not parse: ${error.message}` }];
}
