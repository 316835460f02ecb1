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
  read: (path: string) => string;
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
    ...blocks.flatMap((block) => checkSource(path, block, repository)),
  ];
}

interface Block {
  language: string;
  /** The file that the code is taken from: ```ts from=examples/hono/app.ts */
  from: string | undefined;
  code: string;
  /** Of the first line of code. */
  line: number;
}

function split(text: string): { prose: { content: string; line: number }[]; blocks: Block[] } {
  const prose: { content: string; line: number }[] = [];
  const blocks: Block[] = [];
  let fence: (Omit<Block, 'code'> & { marks: string; indent: number; lines: string[] }) | null = null;
  for (const [index, content] of text.split('\n').entries()) {
    const [, indent = '', marks, info = ''] = /^(\s*(?:>\s?)*)(`{3,}|~{3,})\s*(.*)$/.exec(content) ?? [];
    if (fence && marks?.startsWith(fence.marks) && info === '') {
      const { language, from, lines, line } = fence;
      blocks.push({ language, from, code: lines.join('\n'), line });
      fence = null;
    } else if (fence) {
      fence.lines.push(content.slice(fence.indent));
    } else if (marks !== undefined) {
      const language = info.split(/[\s{]/)[0]?.toLowerCase() ?? '';
      const from = /(?:^|\s)from=(\S+)/.exec(info)?.[1];
      fence = { marks, indent: indent.length, language, from, lines: [], line: index + 2 };
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

/** A sample from a file has to be in it line by line, however it is indented; `// …` stands for what is left out. */
function checkSource(path: string, { from, code, line }: Block, { exists, read }: Repository): Finding[] {
  if (from === undefined) return [];
  if (!exists(from)) return [{ path, line, found: `the sample is from ${from}, which is not there` }];
  const source = joinLines(read(from));
  let position = 0;
  for (const part of code.split(/^\s*(?:\/\/ …|\{\/\* … \*\/\}|<!-- … -->)\s*$/m)) {
    const wanted = joinLines(part);
    const found = source.indexOf(wanted, position);
    if (found < 0) {
      const [first = ''] = wanted.split('\n').filter((each) => each !== '' && !source.includes(each));
      return [
        { path, line, found: `the sample is not as in ${from}: ${first || 'its lines have another order'}` },
      ];
    }
    position = found + wanted.length;
  }
  return [];
}

function joinLines(code: string): string {
  return code
    .split('\n')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .join('\n');
}
